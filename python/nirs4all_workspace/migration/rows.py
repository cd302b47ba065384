"""The rows of one prediction file of nirs4all 0.6, read for the writer."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nirs4all_workspace import _native, catalogue
from nirs4all_workspace.migration import tables
from nirs4all_workspace.migration.report import shown
from nirs4all_workspace.predictions.arrays import ROLES
from nirs4all_workspace.predictions.sessions import AVERAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import polars as pl

    from nirs4all_workspace.model.result import Result
    from nirs4all_workspace.predictions.writer import Writer

REFERENCES = tuple(f"{role}_id" for role in ROLES)
# Columns that batches carry on their way; `arrived` makes sure that no column of a source has these names.
ROW, GROUP, UNIT, RESULT, TEMPLATE, DATASET, CONFIG, CREATED = KEYS = tuple(
    f"n4w:{name}" for name in ("row", "group", "unit", "result", "template", "dataset", "config", "created")
)
_SETS = {"train": 0, "val": 1, "test": 2}
# The fields of a result that describe its dataset.
_NAMES = ("fold_id", "partition", "task_type")
_NUMBERS = ("n_samples", "n_features")
# Columns with a meaning of their own in a workspace: other values are kept in `source_<column>`.
_OURS = ("run_id", "result_id", "template_id")
_BESIDE = "source_"


@dataclass
class Target:
    """Where the rows of one configuration on one dataset go.

    Attributes:
        run_id: The run.
        created_at: When the configuration was created, ISO-8601; empty where that is not recorded.
        result: The result to checkpoint.
    """

    run_id: str
    created_at: str
    result: Result


@dataclass
class Group:
    """The rows of one configuration in one file."""

    dataset: str
    config: str | None
    first: int
    number: int = 0
    rows: int = 0
    last: int = 0
    n_features: float = 0.0
    task_type: str | None = None
    samples: dict[str, list[float]] = field(default_factory=dict)
    target: Target = field(init=False)

    def add(self, part: Mapping[str, Any]) -> None:
        """Count rows of one fold and partition."""
        self.rows += part["rows"]
        self.first, self.last = min(self.first, part["first"]), max(self.last, part["last"])
        self.n_features = max(self.n_features, part["n_features"] or 0.0)
        self.task_type = self.task_type or part["task_type"]
        fold = "" if part["fold_id"] is None else str(part["fold_id"])
        sets = self.samples.setdefault(fold, [0.0] * 4)
        place = _SETS.get(str(part["partition"]), 3)
        sets[place] = max(sets[place], part["n_samples"] or 0.0)

    def about(self) -> dict[str, Any]:
        """Return the fields of a result that describe its dataset, as the catalogue counts them.

        A fold divides the samples between sets. Averages over folds were validated on samples that were
        trained on, and include samples made by augmentation: they are used only where there is no fold.
        Without a splitter, a validation set repeats the test set.
        """
        folds = [fold for fold in self.samples if fold not in AVERAGES] or list(self.samples)
        most = 0.0
        for fold in folds:
            train, val, test, other = self.samples[fold]
            is_again = (fold == "" and val == test) or (fold in AVERAGES and train)
            most = max(most, other, train + test + (0.0 if is_again else val))
        return {
            "n_samples": _count(most),
            "n_features": _count(self.n_features),
            "task_type": self.task_type,
        }


def _count(number: float) -> int | None:
    """Return a count; None where there is none, or where it has more than 64 bits."""
    return int(number) if 0 < number < 2**63 else None


@dataclass
class Unit:
    """The rows of one run on one dataset in one file, which one writer writes."""

    number: int
    run_id: str
    dataset: str
    groups: list[Group] = field(default_factory=list)
    writer: Writer | None = None

    @property
    def first(self) -> int:
        """Its first row in the file."""
        return min(group.first for group in self.groups)

    @property
    def last(self) -> int:
        """Its last row in the file."""
        return max(group.last for group in self.groups)


class PredictionFile:
    """A `<dataset>.meta.parquet` of nirs4all 0.6.

    Attributes:
        path: The path of the file.
        root: The folder of nirs4all 0.6.
        file: The path of the file relative to the folder, with slashes.
        name: The dataset in the name of the file.
        rows: The number of rows in its footer.
        groups: Its rows by configuration, in the order of their first rows.
        units: Its rows by run and dataset.
        schema: Its columns by the names that they have after `arrived`.
        moved_names: The columns that `arrived` renamed: name in the file and new name.
        nameless: Number of rows without a dataset; they get the one in the name of the file.
        unfit: Columns with values whose types a segment does not hold there, kept as `source_<column>`.
    """

    def __init__(self, root: Path, file: str) -> None:
        """Read the footer of a file.

        Args:
            root: The folder.
            file: The path of the file, relative to the folder.

        Raises:
            CorruptFileError: The file is not a Parquet file.
            OSError: The file cannot be read.
        """
        self.root, self.path, self.file = root, root / file, file
        # Rows without a dataset get the one that readers of the old folder take.
        self.name = shown(catalogue.stem_of(file))
        self._kinds = dict(_native.row_schema())
        schema, self.rows = tables.outline(self.path)
        arriving = {name: arrived(name, self._kinds) for name in schema}
        self.schema = {arriving[name]: kind for name, kind in schema.items()}
        self.moved_names = {name: ours for name, ours in arriving.items() if name != ours}
        self.groups: list[Group] = []
        self.units: list[Unit] = []
        self.nameless = 0
        self.unfit: set[str] = set()

    @property
    def as_text(self) -> list[str]:
        """Columns that become text, because segments do not hold their type there."""
        return [
            name
            for name, kind in self.schema.items()
            if kind != _null()
            and (
                (name not in self._kinds and not tables.is_storable(kind))
                or (self._kinds.get(name) == "text" and (kind.is_nested() or kind == _binary()))
            )
        ]

    def find_groups(self, target_of: Callable[[str, str | None], Target]) -> None:
        """Group the rows by configuration; few columns are read."""
        import polars as pl

        found: dict[tuple[str, str | None], Group] = {}
        wanted = [name for name in ("dataset_name", "config_name", *_NAMES, *_NUMBERS) if name in self.schema]
        about = [self._name_of(name).alias(name) for name in _NAMES]
        about += [self._number_of(name).alias(name) for name in _NUMBERS]
        for at, frame in self._batches(wanted, 0, self.rows):
            self.nameless += frame.filter(self._given_dataset().is_null()).height
            keyed = frame.with_row_index(ROW, at).with_columns(about)
            parts = keyed.group_by(DATASET, CONFIG, "fold_id", "partition").agg(
                pl.len().alias("rows"),
                pl.col(ROW).min().alias("first"),
                pl.col(ROW).max().alias("last"),
                pl.col("n_samples").max(),
                pl.col("n_features").max(),
                pl.col("task_type").first(),
            )
            for part in parts.sort("first").iter_rows(named=True):
                key = part[DATASET], part[CONFIG]
                group = found.setdefault(key, Group(*key, first=part["first"]))
                group.add(part)
        units: dict[tuple[str, str], Unit] = {}
        for number, group in enumerate(sorted(found.values(), key=lambda group: group.first)):
            group.number, group.target = number, target_of(group.dataset, group.config)
            self.groups.append(group)
            key_of_unit = (group.target.run_id, group.dataset)
            unit = units.setdefault(key_of_unit, Unit(len(units), *key_of_unit))
            unit.groups.append(group)
        self.units = list(units.values())

    def keyed(
        self, columns: Sequence[str], start: int, stop: int, lost: tables.Lost | None = None
    ) -> Iterator[tuple[int, pl.DataFrame]]:
        """Yield batches with the columns of `KEYS`, except the row number."""
        table = self._table()
        names = [name for name in ("dataset_name", "config_name") if name in self.schema]
        wanted = [*columns, *(name for name in names if name not in columns)]
        for at, frame in self._batches(wanted, start, stop, lost):
            keyed = frame.join(
                table, on=[DATASET, CONFIG], how="left", nulls_equal=True, maintain_order="left"
            )
            yield at, keyed

    def whole(
        self, start: int, stop: int, lost: tables.Lost | None = None
    ) -> Iterator[tuple[int, pl.DataFrame]]:
        """Yield batches of all columns, in the types of a segment, with the columns of `KEYS`."""
        for at, frame in self.keyed(list(self.schema), start, stop, lost):
            yield at, self._fitted(frame)

    def _batches(
        self, columns: Sequence[str], start: int, stop: int, lost: tables.Lost | None = None
    ) -> Iterator[tuple[int, pl.DataFrame]]:
        import polars as pl

        if not columns:
            rows = stop - start
            named = pl.select(pl.repeat(self.name, rows).alias(DATASET))
            yield start, named.with_columns(pl.lit(None, pl.String).alias(CONFIG))
            return
        names = {ours: name for name, ours in self.moved_names.items()}
        read = [names.get(column, column) for column in columns]
        for at, frame in tables.batches(self.path, read, start, stop, lost):
            yield (
                at,
                frame.rename(self.moved_names, strict=False).with_columns(
                    self._given_dataset().fill_null(self.name).alias(DATASET),
                    self._name_of("config_name").alias(CONFIG),
                ),
            )

    def _given_dataset(self) -> pl.Expr:
        return self._name_of("dataset_name").replace("", None)

    def _name_of(self, column: str) -> pl.Expr:
        import polars as pl

        if column not in self.schema:
            return pl.lit(None, pl.String)
        return tables.as_text(pl.col(column), self.schema[column])

    def _number_of(self, column: str) -> pl.Expr:
        import polars as pl

        number = _converted("float", pl.col(column), self.schema.get(column, pl.Null()))
        return pl.when(number.is_finite()).then(number)

    def _table(self) -> pl.DataFrame:
        import polars as pl

        unit_of = {group.number: unit.number for unit in self.units for group in unit.groups}
        rows = [
            {
                DATASET: group.dataset,
                CONFIG: group.config,
                GROUP: group.number,
                UNIT: unit_of[group.number],
                RESULT: group.target.result.id,
                TEMPLATE: group.target.result.template_id,
                CREATED: group.target.created_at or None,
            }
            for group in self.groups
        ]
        texts = dict.fromkeys((DATASET, CONFIG, RESULT, TEMPLATE, CREATED), pl.String)
        schema = {**texts, GROUP: pl.Int64, UNIT: pl.Int64}
        table = pl.DataFrame(rows, schema=schema)
        return table.with_columns(_time_of(pl.col(CREATED), pl.String()))

    def _fitted(self, frame: pl.DataFrame) -> pl.DataFrame:
        import polars as pl

        columns: dict[str, pl.Expr] = {}
        for name, source in self.schema.items():
            column, kind = tables.column_of(name), self._kinds.get(name)
            if kind is None:
                is_as_it_is = tables.is_storable(source) and name.removeprefix(_BESIDE) not in _OURS
                columns[name] = column if is_as_it_is else tables.as_text(column, source)
                continue
            columns[name] = fitted = _converted(kind, column, source)
            if fits(kind, source):
                continue
            is_number = source.is_numeric() and kind != "time"
            same = fitted.cast(source, strict=False) == column if is_number else fitted.is_not_null()
            text = tables.as_text(column, source)
            is_kept = text.is_not_null() & ~same.fill_null(value=False)
            columns[name] = pl.when(~is_kept).then(fitted)
            if frame.select(is_kept.any()).item():
                self.unfit.add(name)
            if name in self.unfit:
                columns[f"{_BESIDE}{name}"] = pl.when(is_kept).then(text)
        own_time = columns.get("created_at", pl.lit(None, _types()["time"]))
        columns |= {"created_at": pl.coalesce(own_time, CREATED), "dataset_name": pl.col(DATASET)}
        return frame.select(*(column.alias(name) for name, column in columns.items()), *KEYS[1:-1])


def arrived(name: str, kinds: Mapping[str, str]) -> str:
    """Return the new name of a column of a source.

    It is the name in the source, except for names that have another meaning in a workspace, and for names
    that begin with `source_`, as columns kept beside others do: these get one more `source_`. New names are
    unique.
    """
    base = name
    while base.startswith(_BESIDE):
        base = base.removeprefix(_BESIDE)
    is_taken = base in _OURS or base in KEYS or (base in kinds and base != name)
    return f"{_BESIDE}{name}" if is_taken else name


def _null() -> Any:  # noqa: ANN401 - a data type of Polars
    import polars as pl

    return pl.Null()


def _binary() -> Any:  # noqa: ANN401 - a data type of Polars
    import polars as pl

    return pl.Binary()


_TYPES: dict[str, Any] = {}


def _types() -> dict[str, Any]:
    import polars as pl

    if not _TYPES:
        _TYPES.update(text=pl.String(), int=pl.Int64(), float=pl.Float64(), time=pl.Datetime("us", "UTC"))
    return _TYPES


def fits(kind: str, source: Any) -> bool:  # noqa: ANN401 - a data type of Polars
    """Return whether a column of a segment holds every value of a type."""
    import polars as pl

    if kind == "text" or source in (_types()[kind], pl.Null):
        return True
    if kind == "float":
        return bool(
            source.is_float() or (source.is_integer() and source not in (pl.Int64, pl.UInt64, pl.Int128))
        )
    if kind == "int":
        return bool(source.is_integer() and source not in (pl.UInt64, pl.Int128))
    return kind == "time" and (source == pl.Date or isinstance(source, pl.Datetime))


def _converted(kind: str, column: pl.Expr, source: Any) -> pl.Expr:  # noqa: ANN401 - a data type of Polars
    """Return a column as a segment holds it; null where it cannot."""
    import polars as pl

    if kind == "text":
        return tables.as_text(column, source)
    if kind == "time":
        return _time_of(column, source)
    has_numbers = source.is_numeric() or source in (pl.String, pl.Boolean)
    return column.cast(_types()[kind], strict=False) if has_numbers else pl.lit(None, _types()[kind])


def _time_of(column: pl.Expr, source: Any) -> pl.Expr:  # noqa: ANN401 - a data type of Polars
    import polars as pl

    time = _types()["time"]
    if source == pl.String:
        return column.map_elements(_parsed, return_dtype=time)
    if isinstance(source, pl.Datetime) and source.time_zone:
        return column.cast(pl.Datetime("us", source.time_zone)).dt.convert_time_zone("UTC")
    if isinstance(source, pl.Datetime) or source == pl.Date:
        return column.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    return pl.lit(None, time)


def _parsed(text: str) -> datetime | None:
    """Return a time in ISO-8601, taken as UTC where it has no offset."""
    try:
        time = datetime.fromisoformat(text)
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
