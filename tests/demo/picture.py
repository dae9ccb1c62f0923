# SPDX-License-Identifier: BSD-3-Clause
"""What ./dev demo printed, as the picture that README shows.

    ./dev demo | python3 tests/demo/picture.py > docs/demo.svg

It needs the package rich. Colours are all that it adds: test_demo.py compares the text.
"""

from __future__ import annotations

import io
import re
import sys

from rich.console import Console
from rich.text import Text

STYLES = {r"# [A-Z]": "green", r"\$ ": "bold", r"\[\w+\] >>> ": "bold"}


def main() -> None:
    lines = sys.stdin.read().strip("\n").split("\n")
    console = Console(record=True, width=max(map(len, lines)), file=io.StringIO())
    for line in lines:
        style = next((style for start, style in STYLES.items() if re.match(start, line)), "")
        console.print(Text(line, style), soft_wrap=True)
    picture = console.export_svg(title="./dev demo", unique_id="demo")
    # Without the fonts that a browser would load from elsewhere, and blanks at ends of lines.
    print(re.sub(r"@font-face {.*?}\s*|[ \t]+$", "", picture, flags=re.S | re.M))


if __name__ == "__main__":
    main()
