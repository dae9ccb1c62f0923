# SPDX-License-Identifier: BSD-3-Clause
"""The command `sharr`, which is also `python -m SharedArray`."""

import os
import sys

from ._cli import arguments, errors


def _run(argv):
    try:
        return arguments.run(argv)
    except errors.Usage as error:
        errors.say(f"{error} (sharr --help)")
        return 2
    except SystemExit as error:  # argparse's
        return error.code


def _forget_stdout():
    """So that the interpreter, which flushes once more when it ends, finds nothing to say."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def main(argv=None):
    """Run the command; its exit code: 0 done, 1 something failed, 2 wrongly called."""
    sys.stdout.reconfigure(errors="backslashreplace")
    sys.stderr.reconfigure(errors="backslashreplace")
    # It is for programs that want less than what the file tells.
    os.environ.pop("SHARR_STRUCTURED", None)
    try:
        code = _run(sys.argv[1:] if argv is None else argv)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # as in `sharr list | head`
        _forget_stdout()
        return 141
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        errors.tell(None, error)
        _forget_stdout()
        return 1


if __name__ == "__main__":
    sys.exit(main())
