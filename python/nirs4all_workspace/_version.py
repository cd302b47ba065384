"""The version of the package, written into files."""

__version__ = "0.1.0"
