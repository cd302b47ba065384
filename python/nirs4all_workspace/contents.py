"""What a dataset holds: samples, features, targets and wavelengths, as far as its files tell.

Nothing is guessed in silence: what is inferred or cannot be told stands in `notes`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from nirs4all_workspace import tables

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import polars as pl

    from nirs4all_workspace.tables import Layout

_T = TypeVar("_T")

_TEXT = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt", ".txt.gz")
_PARQUET = (".parquet",)
_SETS = "cal|train|val|test"
_PART = re.compile(
    rf"(?P<kind>x|y|m|meta)[_-]?(?P<set>{_SETS})|(?P<set2>{_SETS})[_-]?(?P<kind2>x|y|m|meta)", re.I
)
_NULLS = ["", "NA", "NaN", "nan", "na"]


@dataclass
class Contents:
    """What was read of a dataset; None and empty where its files do not tell.

    Attributes:
        n_samples: Rows of spectra, all partitions together.
        n_features: Columns of spectra.
        y_columns: Names of the targets.
        y_stats: min, max, mean and std (ddof = 1) of each numeric target, over finite values.
        task_type: "regression" or "classification".
        wavelength_range: Smallest and largest, in `wavelength_unit`.
        wavelength_unit: nm, cm-1 or um.
        notes: What was inferred, from what, and what could not be told.
    """

    n_samples: int | None = None
    n_features: int | None = None
    y_columns: list[str] = field(default_factory=list)
    y_stats: dict[str, dict[str, float | None]] = field(default_factory=dict)
    task_type: str | None = None
    wavelength_range: list[float] | None = None
    wavelength_unit: str | None = None
    notes: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields of a dataset's record."""
        return dict(vars(self))


def describe(path: Path) -> Contents:
    """Read what a dataset holds: a CSV (gzipped or not) or Parquet file, or a folder of them.

    A folder's files are called as nirs4all wants them: `Xcal.csv`, `Y_train.csv.gz`, `test_x.csv`.

    Args:
        path: The file or folder.

    Returns:
        What its files tell. A file that cannot be read is a note, not an error.
    """
    contents = Contents()
    if path.is_dir():
        _describe_folder(path, contents)
    elif table := _open(path, contents):
        _add_single(table, contents)
    _add_task_type(contents)
    return contents


@dataclass
class _Table:
    """A table whose rows are read when they are asked for."""

    path: Path
    columns: list[str]
    layout: Layout | None  # None: Parquet

    def read(self, columns: list[str] | None = None, as_text: bool = False) -> pl.DataFrame:
        import polars as pl

        if self.layout is None:
            return pl.read_parquet(self.path, columns=columns, glob=False)
        names = self.columns if columns is None else columns
        frame = pl.read_csv(
            self.path,
            glob=False,
            separator=self.layout.separator,
            has_header=bool(self.layout.has_header),
            decimal_comma=self.layout.decimal_comma,
            columns=[self.columns.index(name) for name in names],
            infer_schema=not as_text,
            infer_schema_length=None,
            null_values=_NULLS,
        )
        frame.columns = names
        return frame

    def rows(self) -> int:
        return self.read(self.columns[:1], as_text=True).height


def _open(path: Path, contents: Contents) -> _Table | None:
    name = path.name.lower()
    try:
        if name.endswith(_PARQUET):
            import polars as pl

            return _Table(path, list(pl.scan_parquet(path, glob=False).collect_schema()), None)
        if name.endswith(_TEXT):
            layout = tables.detect(tables.sample(path))
            names = layout.header or [f"column_{i + 1}" for i in range(layout.columns)]
            return _Table(path, list(names), layout)
        contents.notes.append(f"{path.name} was not read: no CSV and no Parquet file")
    except (tables.Undecided, ValueError) as error:
        contents.notes.append(f"{path.name} was not read: {error}")
    except Exception as error:  # noqa: BLE001 -- Polars has no common error, and a bad file is one note
        contents.notes.append(f"{path.name} could not be read: {error}")
    return None


def _describe_folder(folder: Path, contents: Contents) -> None:
    parts: dict[str, dict[str, _Table]] = {}
    for path in sorted(folder.iterdir()):
        stem = path.name.partition(".")[0]
        match = _PART.fullmatch(stem)
        if not match or not path.name.lower().endswith(_TEXT + _PARQUET):
            continue
        kind, which = (match["kind"] or match["kind2"]).lower(), (match["set"] or match["set2"]).lower()
        if kind in "xy" and (table := _open(path, contents)):
            parts.setdefault(which, {})[kind] = table
    if not parts:
        contents.notes.append("no file is called as nirs4all wants it, such as Xcal.csv and Ycal.csv")
        return
    samples, targets = [], []
    for part in parts.values():
        rows = _guarded(part.get("x"), contents, _Table.rows)
        if rows is not None and _add_spectra(part["x"], contents):
            samples.append(rows)
        if "y" in part and (frame := _targets(part["y"], rows, contents)) is not None:
            targets.append(frame)
    contents.n_samples = sum(samples) if len(samples) == len(parts) else None
    if targets:
        import polars as pl

        _add_targets(pl.concat(targets, how="diagonal_relaxed"), contents)


def _guarded(table: _Table | None, contents: Contents, read: Callable[[_Table], _T]) -> _T | None:
    """What `read` gives, or a note where the file turns out to be no such table further down."""
    if table is None:
        return None
    try:
        return read(table)
    except Exception as error:  # noqa: BLE001 -- as in `_open`
        first_line = str(error).partition("\n")[0]
        contents.notes.append(f"{table.path.name} could not be read: {first_line}")
        return None


def _targets(table: _Table, rows: int | None, contents: Contents) -> pl.DataFrame | None:
    """The targets beside `rows` spectra; the number of rows tells whether a line of texts is a header."""
    frame = _guarded(table, contents, _Table.read)
    layout = table.layout
    if frame is None or layout is None:
        return frame
    if layout.has_header is None and rows is not None and frame.height == rows + 1:
        names = list(layout.first)
        contents.notes.append(f"the first line of {table.path.name} names its columns: it is one too many")
        frame = frame.slice(1)
    elif layout.has_header:
        names = table.columns
    else:
        names = ["y"] if frame.width == 1 else [f"y{i + 1}" for i in range(frame.width)]
        contents.notes.append(
            f"the columns of {table.path.name} have no names and are called {', '.join(names)}"
        )
    frame.columns = names
    if rows is not None and frame.height != rows:
        contents.notes.append(f"{table.path.name} has {frame.height} rows beside {rows} spectra")
    return frame


def _add_spectra(table: _Table, contents: Contents) -> bool:
    """Whether there are any: columns of numbers, as many as in the other files."""
    numeric = table.layout.numeric if table.layout else [True] * len(table.columns)
    names = [name for name, is_numeric in zip(table.columns, numeric, strict=True) if is_numeric]
    if not names or contents.n_features not in (None, len(names)):
        others = f", others {contents.n_features}" if contents.n_features else ""
        contents.notes.append(f"{table.path.name} has {len(names)} columns of numbers{others}")
        return False
    contents.n_features = len(names)
    header = table.layout is None or table.layout.header is not None
    _add_wavelengths(names if header else [], table, contents)
    return True


def _add_wavelengths(names: list[str], table: _Table, contents: Contents) -> None:
    if contents.wavelength_range is not None:
        return
    numbers = [number for name in names if (number := tables.wavelength(name)) is not None]
    if not numbers or len(numbers) < len(names) or not tables.is_monotonic(numbers):
        contents.notes.append(f"the columns of {table.path.name} are not named after wavelengths")
        return
    contents.wavelength_range = [min(numbers), max(numbers)]
    if table.layout and all(name.replace(".", "", 1).isdigit() for name in names):
        text = f"the first line of {table.path.name} is taken for wavelengths: numbers that only "
        contents.notes.append(text + ("rise" if numbers[0] < numbers[-1] else "fall"))
    contents.wavelength_unit = tables.unit(names[0])
    if contents.wavelength_unit is None:
        contents.wavelength_unit = _likely_unit(*contents.wavelength_range)
        what = contents.wavelength_unit or "unknown"
        low, high = contents.wavelength_range
        contents.notes.append(f"the unit of wavelengths is {what}, judged by their range {low:g} to {high:g}")


def _likely_unit(low: float, high: float) -> str | None:
    if low >= 150 and high <= 3300:
        return "nm"
    if low >= 3300 and high <= 50_000:
        return "cm-1"
    return "um" if low >= 0.15 and high <= 30 else None


def _add_single(table: _Table, contents: Contents) -> None:
    """A file that has spectra and targets side by side."""
    contents.n_samples = _guarded(table, contents, _Table.rows)
    if contents.n_samples is None:
        return
    if table.layout is not None and not table.layout.header:
        contents.notes.append("its columns have no names: spectra and targets cannot be told apart")
        return
    spectra = [name for name in table.columns if tables.wavelength(name) is not None]
    others = [name for name in table.columns if name not in spectra]
    if not spectra:
        contents.notes.append(
            "no column is named after a wavelength: spectra and targets cannot be told apart"
        )
        return
    contents.n_features = len(spectra)
    _add_wavelengths(spectra, table, contents)
    frame = _guarded(table, contents, lambda table: table.read(others)) if others else None
    if frame is None:
        return
    targets = [
        column.name
        for column in frame
        if column.dtype.is_float() or (column.dtype.is_integer() and column.n_unique() < column.len())
    ]
    if targets:
        contents.notes.append(
            f"taken for targets, being numbers that repeat or have decimals: {', '.join(targets)}"
        )
        _add_targets(frame.select(targets), contents)


def _add_targets(frame: pl.DataFrame, contents: Contents) -> None:
    contents.y_columns = frame.columns
    for column in frame:
        if column.dtype.is_numeric():
            values = column.drop_nulls().cast(float)
            values = values.filter(values.is_finite())
            contents.y_stats[column.name] = {
                name: getattr(values, name)() for name in ("min", "max", "mean", "std")
            }
    numeric = [column for column in frame if column.dtype.is_numeric()]
    if len(numeric) < frame.width:
        contents.task_type = "classification" if not numeric else None
    elif any(column.dtype.is_float() and (column % 1 != 0).any() for column in numeric):
        contents.task_type = "regression"


def _add_task_type(contents: Contents) -> None:
    if contents.y_columns and contents.task_type is None:
        contents.notes.append("whole numbers as targets: classes or values, the task is not told by them")
