"""A small dataset as text, and what is told of it."""

import numpy as np
from nirs4all_workspace.datasets.inspect.describe import describe

WAVELENGTHS = [1100, 1102, 1104, 1106, 1108, 1110]
HEADER = ";".join(map(str, WAVELENGTHS))
X = np.random.default_rng(7).uniform(0.1, 0.9, (6, 6)).round(4)
ROWS = [";".join(f"{value:.4f}" for value in row) for row in X]
XCAL = "\n".join([HEADER, *ROWS]) + "\n"
PROTEIN = [10.5, 11.25, 12.0, 12.75, 13.5, 14.25]
YCAL = "protein\n" + "\n".join(map(str, PROTEIN)) + "\n"


def make_told(tmp_path_factory):
    """Give `told(files)`: what is described of a folder of these files, or of the one that is named."""

    def described(files, single=None):
        folder = tmp_path_factory.mktemp("wheat")
        for name, content in files.items():
            (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return describe(folder / single if single else folder)

    return described


def targets(*values, name="protein"):
    return "\n".join([name, *map(str, values)]) + "\n"


def noted(found, *parts):
    """Whether one note has all of these in it."""
    return any(all(str(part) in note for part in parts) for note in found.notes)


def one_file(name, values=PROTEIN, before=()):
    """A table of spectra and one target, such as pandas writes, with other columns before them."""
    head = ",".join([*(column for column, _ in before), *map(str, WAVELENGTHS), name])
    lines = [
        ",".join([*(str(cells[i]) for _, cells in before), row.replace(";", ","), str(values[i])])
        for i, row in enumerate(ROWS)
    ]
    return "\n".join([head, *lines]) + "\n"
