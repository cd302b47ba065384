"""The command line of `n4w`, in this process and, where that is what is tested, in one of its own."""

import contextlib
import io
import os
import subprocess
import sys
import warnings
from typing import NamedTuple

from nirs4all_workspace import cli

LINE = [sys.executable, "-m", "nirs4all_workspace.cli"]


class Done(NamedTuple):
    """What a command left, named as `subprocess.CompletedProcess` does."""

    returncode: int
    stdout: str
    stderr: str


def n4w(*arguments, cwd=os.curdir) -> Done:
    """Run a command in this process, with warnings on its stderr."""
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with (
        contextlib.chdir(cwd),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        warnings.catch_warnings(record=True) as caught,
    ):
        warnings.simplefilter("default")
        try:
            cli.main([*map(str, arguments)])
        except SystemExit as ended:
            code = ended.code or 0
    for it in caught:
        err.write(warnings.formatwarning(it.message, it.category, it.filename, it.lineno))
    return Done(code, out.getvalue(), err.getvalue())


def n4w_process(*arguments, **options) -> subprocess.CompletedProcess:
    """Run a command in a process of its own, to its end."""
    options = {"capture_output": True, "text": True, "timeout": 120, "check": False} | options
    return subprocess.run([*LINE, *map(str, arguments)], **options)
