# SPDX-License-Identifier: BSD-3-Clause
"""What ./dev demo printed, as a picture: ./dev demo | python3 tests/demo/picture.py > docs/demo.svg

Needs rich, from PyPI. Colours are all that it adds: test_demo.py compares the text.
"""

from __future__ import annotations

import io
import re
import sys

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

STYLES = {"# ": "green", "$ ": "bold", "[": "bold"}


def main() -> None:
    lines = sys.stdin.read().strip("\n").split("\n")
    console = Console(record=True, width=max(map(len, lines)), file=io.StringIO())
    for line in lines:
        style = next((style for start, style in STYLES.items() if line.startswith(start)), "")
        console.print(Text(line, style), soft_wrap=True)
    # Without the fonts that it would have a browser load from elsewhere.
    form = re.sub(r"@font-face {{.*?}}\s*", "", CONSOLE_SVG_FORMAT, flags=re.S)
    print(console.export_svg(title="./dev demo", code_format=form, unique_id="demo"))


if __name__ == "__main__":
    main()
