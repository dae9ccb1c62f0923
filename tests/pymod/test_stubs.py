# SPDX-License-Identifier: BSD-3-Clause
"""The type stubs say what the module does, and help() tells of every call what there is to know."""

from __future__ import annotations

import ast
import inspect
import re

import pytest
from support.build import ROOT

STUBS = ast.parse((ROOT / "pymod" / "SharedArray" / "__init__.pyi").read_text())
STUBBED = {
    node.name: node for node in STUBS.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))
}
NAMES = [
    node.target.id
    for node in STUBS.body
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
]
CALLS = [name for name, node in STUBBED.items() if isinstance(node, ast.FunctionDef)]
# What the parameters of a constructor are, is told by the class.
CALLS.append("building")


def stub_of(name: str) -> ast.FunctionDef:
    node = STUBBED[name]
    if isinstance(node, ast.FunctionDef):
        return node
    (made,) = (part for part in node.body if getattr(part, "name", "") == "__init__")
    return made


def stubbed_parameters(node: ast.FunctionDef) -> list[tuple[str, str, bool]]:
    """(name, kind, whether it may be left out)."""
    args = node.args
    positional = [*args.posonlyargs, *args.args]
    optional = [False] * (len(positional) - len(args.defaults)) + [True] * len(args.defaults)
    found = [
        (arg.arg, "POSITIONAL_ONLY" if arg in args.posonlyargs else "POSITIONAL_OR_KEYWORD", may)
        for arg, may in zip(positional, optional)
    ]
    found += [
        (arg.arg, "KEYWORD_ONLY", default is not None)
        for arg, default in zip(args.kwonlyargs, args.kw_defaults)
    ]
    return [parameter for parameter in found if parameter[0] != "self"]


def real_parameters(call) -> list[tuple[str, str, bool]]:
    return [
        (p.name, p.kind.name, p.default is not inspect.Parameter.empty)
        for p in inspect.signature(call).parameters.values()
    ]


def test_stubs_have_every_public_name_and_no_other(sa):
    public = {name for name in [*STUBBED, *NAMES] if not name.startswith("_") or name in dir(sa)}
    assert public - {"__all__"} == set(sa.__all__)


@pytest.mark.parametrize("name", CALLS)
def test_stub_has_the_parameters_of_the_call(sa, name):
    assert stubbed_parameters(stub_of(name)) == real_parameters(getattr(sa, name))


@pytest.mark.parametrize("name", [name for name in CALLS if name != "building"])
def test_parameters_may_be_named_where_the_signature_says_so(sa, name):
    """All at once, in a call that then finds no array: never that a keyword is unknown."""
    call = getattr(sa, name)
    names = [n for n, kind, _ in real_parameters(call) if kind != "POSITIONAL_ONLY"]
    if names and names != ["array"]:
        with pytest.raises((TypeError, ValueError, OSError)) as caught:
            call(**dict.fromkeys(names, object()))
        assert "keyword" not in str(caught.value)


@pytest.mark.parametrize("name", CALLS)
def test_stub_names_the_defaults_or_leaves_them_open(sa, name):
    real = inspect.signature(getattr(sa, name)).parameters
    args = stub_of(name).args
    given = zip([*args.posonlyargs, *args.args][-len(args.defaults) or 99 :], args.defaults)
    for arg, default in [*given, *zip(args.kwonlyargs, args.kw_defaults)]:
        if default is not None and not isinstance(default, ast.Constant):
            continue
        if default is not None and default.value is not ...:
            assert ast.literal_eval(default) == real[arg.arg].default, arg.arg


@pytest.mark.parametrize("name", CALLS)
def test_help_has_a_section_for_each_thing(sa, name):
    text = inspect.getdoc(getattr(sa, name))
    sections = re.findall(r"^(\w+)\n-+$", text, re.M)
    assert "Raises" in sections
    assert ("Parameters" in sections) == (len(real_parameters(getattr(sa, name))) > 0)
    first = text.split("\n")[0]
    assert first.endswith((".", "?"))
    assert len(first) < 100


@pytest.mark.parametrize("name", CALLS)
def test_help_tells_of_every_parameter(sa, name):
    text = inspect.getdoc(getattr(sa, name))
    part = re.search(r"^Parameters\n-+\n(.*?)(?:\n\n\w+\n-+\n|\Z)", text, re.M | re.S)
    heads = re.findall(r"^(\w[\w, ]*?)(?: : .*)?$", part.group(1) if part else "", re.M)
    told = {word for head in heads for word in head.split(", ")}
    assert {parameter for parameter, *_ in real_parameters(getattr(sa, name))} <= told


@pytest.mark.parametrize("field", ["ArrayDesc", "ArrayInfo"])
def test_help_tells_of_every_field(sa, field):
    kind = getattr(sa, field)
    stubbed = {part.name for part in STUBBED[field].body if isinstance(part, ast.FunctionDef)}
    real = {name for name in vars(kind) if inspect.ismemberdescriptor(vars(kind)[name])}
    assert stubbed == real
    assert all(vars(kind)[name].__doc__ for name in real)


def test_package_says_that_it_is_typed(sa):
    assert (ROOT / "pymod" / "SharedArray" / "py.typed").read_text() == ""
    assert "'py.typed'" in (ROOT / "pymod" / "SharedArray" / "meson.build").read_text()
