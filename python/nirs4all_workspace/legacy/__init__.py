"""Where artifacts of nirs4all 0.6 lie, and how stores of later versions, which are not read, are recognised."""
