"""Prediction rows and their arrays: written, scanned, paged, exported."""
