"""What the text tables of a dataset hold: files, dialects, headers and targets, certain or undecided."""
