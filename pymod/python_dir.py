# SPDX-License-Identifier: BSD-3-Clause
"""python_dir.py PREFIX CHOSEN: CHOSEN, a folder for modules, if this Python looks there, else the
first below PREFIX in which it does; nothing if there is none."""

import site
import sys

prefix, chosen = (path.rstrip("/") for path in sys.argv[1:])
looked_at = site.getsitepackages()
below = [place for place in looked_at if place.startswith(f"{prefix}/")]
print(chosen if chosen in looked_at else "".join(below[:1]))
