"""Text tables in any dialect, written from NumPy arrays, and what is true of them."""

import gzip
import io
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

PANDAS_MARKS = ["", "#N/A", "N/A", "NA", "NULL", "None", "NaN", "n/a", "nan", "null", "<NA>"]
OTHER_MARKS = ["-", "?", ".", "<1.0", "n.d."]


@dataclass
class Dialect:
    """How tables are written."""

    separator: str = ";"
    decimal: str = "."
    quotes: str = "none"
    end: str = "\n"
    encoding: str = "utf-8"
    blank: str = "none"
    ends_with_separator: bool = False
    ending: str = ".csv"


@dataclass
class Truth:
    """What was written: the arrays, and the names above them."""

    x: np.ndarray
    y: np.ndarray | None
    wavelengths: list[float] | None
    names: list[str] | None
    is_missing: np.ndarray | None = None
    has_other_mark: bool = False
    files: list[str] = field(default_factory=list)


PLAIN = st.sampled_from([(";", "."), (";", ","), (",", "."), ("\t", "."), ("\t", ",")]).map(
    lambda marks: Dialect(*marks)
)
ANY = st.builds(
    lambda marks, **others: Dialect(*marks, **others),
    st.sampled_from(
        [(";", "."), (";", ","), (",", "."), (",", ","), ("\t", "."), ("\t", ","), ("|", "."), (" ", ".")]
    ),
    quotes=st.sampled_from(["none", "all"]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "latin-1", "utf-16", "utf-16-le"]),
    blank=st.sampled_from(["none", "first", "middle", "last", "separators"]),
    ends_with_separator=st.booleans(),
    ending=st.sampled_from([".csv", ".csv.gz", ".csv.zip"]),
)


def spectra(seed: int, kind: str, rows: int, columns: int) -> np.ndarray:
    """Spectra that are noise, smooth, only rise, or are counts of a detector."""
    random = np.random.default_rng(seed)
    if kind == "noise":
        return np.round(random.uniform(0.1, 0.9, (rows, columns)), 4)
    if kind == "smooth":
        phases = random.uniform(0, 6, (rows, 1))
        return np.round(1 + 0.5 * np.sin(np.linspace(0, 6, columns) + phases), 5)
    if kind == "rising":
        steps = random.uniform(0.001, 0.01, (rows, columns))
        return np.round(np.cumsum(steps, axis=1) + random.uniform(0.03, 0.06, (rows, 1)), 4)
    return random.integers(0, 5000, (rows, columns)).astype(float)


def fields(values: np.ndarray, decimal: str, digits: int) -> list[list[str]]:
    """The numbers of an array as texts."""
    return [[f"{value:.{digits}f}".replace(".", decimal) for value in row] for row in values]


def write(path: Path, rows: list[list[str]], dialect: Dialect) -> None:
    """Write rows of fields as a dialect wants them."""
    separator = dialect.separator

    def joined(row: list[str]) -> str:
        quoted = dialect.quotes == "all"
        texts = [f'"{text}"' if quoted or separator in text else text for text in row]
        return separator.join(texts) + (separator if dialect.ends_with_separator and separator != " " else "")

    lines = [joined(row) for row in rows]
    if dialect.blank == "first":
        lines.insert(0, "")
    elif dialect.blank == "middle":
        lines.insert(1 + len(lines) // 2, "")
    elif dialect.blank == "last":
        lines += ["", ""]
    elif dialect.blank == "separators" and separator != " ":
        lines.append(separator * (len(rows[0]) - 1))
    content = (dialect.end.join(lines) + dialect.end).encode(dialect.encoding)
    if path.name.endswith(".gz"):
        content = gzip.compress(content)
    elif path.name.endswith(".zip"):
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as opened:
            opened.writestr("table.csv", content)
        content = archive.getvalue()
    path.write_bytes(content)


def write_dataset(draw, folder: Path, dialect: Dialect, *, plain: bool) -> tuple[Path, Truth]:
    """Draw a dataset, write it in a dialect, and return its path and the truth."""
    rows = draw(st.sampled_from([4, 9, 30] if plain else [1, 2, 3, 9, 30, 130]), label="rows")
    columns = draw(st.sampled_from([5, 12] if plain else [1, 2, 3, 6, 12]), label="columns")
    kind = draw(st.sampled_from(["noise", "smooth"] if plain else ["noise", "smooth", "rising", "counts"]))
    seed = draw(st.integers(0, 2**32 - 1), label="seed")
    form = draw(st.sampled_from(["folder", "folder", "one file"] + ([] if plain else ["spectra"])))
    x = spectra(seed, kind, rows, columns)
    width = draw(st.integers(1, 3), label="targets")
    digits = draw(st.integers(1, 3), label="digits of targets")
    y = np.round(np.random.default_rng(seed + 1).uniform(1, 60, (rows, width)), digits)
    y[0] = np.round(y[0] // 1 + 0.5, digits)
    first, step = draw(st.sampled_from([(1100, 2), (1000, 2.5), (12000, -8)]))
    wavelengths = [first + step * i for i in range(columns)]
    names = ["protein", "fat", "dm"][:width]
    has_header = form == "one file" or draw(st.booleans(), label="header of spectra")
    has_names = form == "one file" or draw(st.booleans(), label="header of targets")
    truth = Truth(x, y, wavelengths if has_header else None, names if has_names else None)
    of_x = fields(x, dialect.decimal, 0 if kind == "counts" else 5)
    of_y = fields(y, dialect.decimal, digits)
    truth.is_missing = np.zeros(y.shape, bool)
    if not plain and dialect.separator != " " and draw(st.booleans(), label="marks"):
        marks = PANDAS_MARKS + OTHER_MARKS
        row, column = draw(st.integers(0, rows - 1)), draw(st.integers(0, width - 1))
        of_y[row][column] = draw(st.sampled_from(marks), label="mark of targets")
        truth.is_missing[row, column] = True
        truth.has_other_mark = of_y[row][column] in OTHER_MARKS
        of_x[draw(st.integers(0, rows - 1))][draw(st.integers(0, columns - 1))] = draw(st.sampled_from(marks))
    head = [[f"{wavelength:g}" for wavelength in wavelengths]] if has_header else []
    if form == "one file":
        path = folder / f"all{dialect.ending}"
        table = [f"S{i}a" for i in range(rows)]
        body = [[name, *left, *right] for name, left, right in zip(table, of_y, of_x, strict=True)]
        write(path, [["sample", *names, *head[0]], *body], dialect)
        return path, truth
    write(folder / f"Xcal{dialect.ending}", head + of_x, dialect)
    if form == "folder":
        write(folder / f"Ycal{dialect.ending}", ([names] if has_names else []) + of_y, dialect)
    else:
        truth.y = None
    return folder, truth
