"""Prints the seconds of one call in a process of its own: imports come first and are not counted.

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
    work(*sys.argv[2:])
    print(time.perf_counter() - began)


if __name__ == "__main__":
    main()
