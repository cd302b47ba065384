"""Datasets in the form of the two real ones of the samples, for checkouts that these do not lie beside."""

import gzip
import random
from pathlib import Path


def _spectra(rng: random.Random, rows: int, wavelengths: int) -> list[str]:
    """Rows of a smooth curve with noise, each value in as many digits as instruments write."""
    lines = []
    for _ in range(rows):
        level = rng.uniform(0.2, 1.0)
        values = (level + 0.001 * at + rng.uniform(-0.02, 0.02) for at in range(wavelengths))
        lines.append(";".join(f"{value:.15g}" for value in values))
    return lines


def write(folder: Path, name: str) -> Path:
    """Write one into a folder.

    `regression` has gzipped files without headers, `classification` named ones: wavenumbers that fall,
    and the target `Prot` in whole numbers.
    """
    rng = random.Random(name)
    folder.mkdir(parents=True)
    if name == "regression":
        for part, rows in (("cal", 24), ("val", 12)):
            for file, lines in {
                f"X{part}": _spectra(rng, rows, 120),
                f"Y{part}": [f"{rng.uniform(8, 40):.2f}" for _ in range(rows)],
            }.items():
                with gzip.open(folder / f"{file}.csv.gz", "wt") as opened:
                    opened.write("\n".join(lines) + "\n")
        return folder
    header = ";".join(str(round(1e7 / (402 + 2.5 * at))) for at in range(234))
    for part, rows in (("train", 44), ("test", 12)):
        (folder / f"X{part}.csv").write_text("\n".join([header, *_spectra(rng, rows, 234)]) + "\n")
        values = [str(rng.randrange(11, 15)) for _ in range(rows)]
        (folder / f"Y{part}.csv").write_text("\n".join(["Prot", *values]) + "\n")
        groups = [f"{rng.randrange(4)};field {row}" for row in range(rows)]
        (folder / f"M{part}.csv").write_text("\n".join(["block;name", *groups]) + "\n")
    return folder
