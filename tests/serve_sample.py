"""Serves a workspace with some of everything: python tests/serve_sample.py FOLDER [--write]."""

import sys
from pathlib import Path

import serving
from nirs4all_workspace import cli

folder = Path(sys.argv[1])
serving.make(folder)
cli.main(["serve", str(folder), "--port", "0", "--no-browser", *sys.argv[2:]])
