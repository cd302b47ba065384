"""`python -m nirs4all_workspace.cli` is `n4w`."""

from nirs4all_workspace.cli import main

main()
