"""Prints the seconds of one call in a process of its own: imports come first and are not counted.

A call that returns a float has measured itself, and that is printed instead.

python benches/once.py peers:footers_polars FOLDER
"""

from __future__ import annotations

import importlib
import sys
import time


def main() -> None:
    module, function = sys.argv[1].split(":")
    work = getattr(importlib.import_module(module), function)
    began = time.perf_counter()
    measured = work(*sys.argv[2:])
    print(measured if isinstance(measured, float) else time.perf_counter() - began)


if __name__ == "__main__":
    main()
