"""Where artifacts of nirs4all 0.6 lie, and how later stores, which are not read, are recognised."""
