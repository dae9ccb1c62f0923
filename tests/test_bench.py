# SPDX-License-Identifier: BSD-3-Clause
"""The page that ./dev bench writes, of figures that are made up here."""

from __future__ import annotations

import importlib
import re

import pytest
from support.build import ROOT
from support.page import blocks_of

pytestmark = pytest.mark.release_only


@pytest.fixture
def page(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(ROOT / "tests" / "bench")
    report, rows = importlib.import_module("report"), importlib.import_module("rows")
    monkeypatch.setattr(report, "versions", lambda: {"SharedArray": "3.2.4", "numpy": "2.0"})
    results = [
        report.Result(rows.Row("quick : slow", 0.5, [], []), None, 8e3, 2e3, 0.25),
        report.Result(rows.Row("slow : quick", 2, [], [], why="So."), 5.0, 2e6, 8e9, 4.0),
        report.Result(rows.Row("kept", 0.9, [], [], at_least=True), None, 1, 1, 1.0),
    ]
    counts = [report.Count(rows.COUNTED[0], {"open": 2.0}, {"open": 1.0, "mmap": 0.5}, 9.0, 7.0)]
    by_number = [report.Growth(10**n, {"create": 2e4, "list": 5e3}, 2**20 * n) for n in (0, 3)]
    by_size = [report.Growth(1024, {"create": 2e5}, -1)]
    report.write(tmp_path, results, counts, [by_number, by_size])
    return (tmp_path / "bench.md").read_text()


def test_page_has_a_line_for_each_row(page):
    assert "| quick : slow |  | 8.00 µs | 2.00 µs | 0.25 | ≤ 0.50 |\n" in page
    assert "| slow : quick | 5.00 ns | 2.00 ms | 8.00 s | 4.00 | ≤ 2.00, **missed** |\n" in page
    assert "| kept |  | 1.00 ns | 1.00 ns | 1.00 | ≥ 0.90 |\n" in page
    assert "| arrays | create | list | daemon's memory |\n|--:|--:|--:|--:|\n| 1 |" in page
    assert "| 1,000 | 20.0 µs | 5.00 µs | 3.0 MiB |\n" in page
    assert "| 1,024 | 200 µs | -0.0 MiB |\n" in page
    assert "| attach + detach | 2 | 1.5 | open 1, mmap 0.5 | 9 | 7 |\n" in page


def test_what_is_missed_has_its_floor_and_reason(page):
    (missed,) = re.findall(r"^- (\*.*)$", page, re.M)
    assert missed == "**slow : quick**: 4.00, goal ≤ 2.00 (8.00 s, floor 5.00 ns). So."


def test_nothing_of_the_page_is_run(page):
    assert [bool(block.reason) for block in blocks_of(page)] == [True]


@pytest.mark.parametrize("picture", ["bench.svg", "bench-number.svg", "bench-size.svg"])
def test_pictures_are_there_and_small(page, tmp_path, picture):
    assert (tmp_path / picture).stat().st_size < 100_000
    assert f"({picture})" in page
