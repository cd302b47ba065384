"""Prediction rows and arrays: writing, scanning, paging, exporting."""
