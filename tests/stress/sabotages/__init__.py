"""All sabotages, by what they break."""

from sabotages import datasets, driving, files, journals, numbers, reading, rows, runs, scores, values

_OF_FILES = journals.SABOTAGES | reading.SABOTAGES | files.SABOTAGES | datasets.SABOTAGES
_OF_ANSWERS = scores.SABOTAGES | numbers.SABOTAGES
SABOTAGES = _OF_FILES | values.SABOTAGES | runs.SABOTAGES | rows.SABOTAGES | _OF_ANSWERS | driving.SABOTAGES
