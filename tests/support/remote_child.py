# SPDX-License-Identifier: BSD-3-Clause
"""The other end of support.remote: runs code that comes on stdin, answers with JSON.

Python 3.9 and either numpy; started as a script, so that it imports nothing of the tests.
"""

import ast
import json
import os
import sys
import traceback


def plain(value):
    """What JSON has no word for is tagged; support.remote takes the tags off again."""
    if isinstance(value, bytes):
        return {"__bytes__": value.decode("latin-1")}
    if isinstance(value, tuple):
        return {"__tuple__": [plain(item) for item in value]}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {"__dict__": [[plain(k), plain(v)] for k, v in value.items()]}
    if isinstance(value, complex):
        return {"__complex__": [value.real, value.imag]}
    if isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}"
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"cannot be sent back: {value!r}")


def run(code, scope):
    """Like an interactive session: the value of a last line that is an expression."""
    tree = ast.parse(code)
    last = None
    if tree.body and isinstance(tree.body[-1], ast.Expr):
        last = ast.Expression(tree.body.pop().value)
    exec(compile(tree, "<test>", "exec"), scope)
    return eval(compile(last, "<test>", "eval"), scope) if last else None


def describe(error):
    strings = [a if isinstance(a, (int, str)) or a is None else str(a) for a in error.args]
    filename = getattr(error, "filename", None)
    return {
        "classes": [c.__name__ for c in type(error).__mro__],
        "args": strings,
        "errno": getattr(error, "errno", None),
        "strerror": getattr(error, "strerror", None),
        "filename": plain(filename) if isinstance(filename, (str, bytes)) else None,
        "traceback": traceback.format_exc(),
    }


def main():
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the code prints is for people
    scope = {"__name__": "__main__"}
    for line in sys.stdin:
        request = json.loads(line)
        scope.update(request["names"])
        try:
            answer = {"value": plain(run(request["code"], scope))}
        except BaseException as error:
            answer = {"error": describe(error)}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
