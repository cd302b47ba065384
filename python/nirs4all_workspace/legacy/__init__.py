"""What readers must know of nirs4all 0.6 and of later stores that are not read."""
