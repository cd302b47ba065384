"""All sabotages, by what they break."""

from sabotages import datasets, files, journals, reading, values

SABOTAGES = journals.SABOTAGES | reading.SABOTAGES | values.SABOTAGES | files.SABOTAGES | datasets.SABOTAGES
