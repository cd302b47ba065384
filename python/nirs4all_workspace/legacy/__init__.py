"""Support for reading nirs4all 0.6, and for recognising later stores, which are not read."""
