"""The content of a dataset's tables: files, dialects, headers and targets, certain or undecided."""
