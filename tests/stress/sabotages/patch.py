"""What a sabotage is."""

from typing import NamedTuple


class Sabotage(NamedTuple):
    """A patch, and the test that must fail on it."""

    file: str
    right: str
    wrong: str
    test: str
