"""The rows of one old prediction file, written again by the writer that everybody uses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nirs4all_workspace import _native
from nirs4all_workspace.arrays import ROLES
from nirs4all_workspace.migration import tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import polars as pl

    from nirs4all_workspace.results import Result
    from nirs4all_workspace.writer import Writer

REFERENCES = tuple(f"{role}_id" for role in ROLES)
# Columns that batches carry on their way.
KEYS = ("_row", "_group", "_unit", "_result", "_template", "_dataset")
_SETS = {"train": 0, "val": 1, "test": 2}
_ABOUT = ("fold_id", "partition", "n_samples", "n_features", "task_type")
# Columns that a workspace gives a meaning of its own: what a source says there is kept beside it.
_OURS = ("run_id", "result_id", "template_id")


@dataclass
class Target:
    """Where the rows of one configuration on one dataset go.

    Attributes:
        run_id: The run.
        created_at: When the configuration was begun, ISO-8601; empty where nobody knows.
        result: The result to be checkpointed.
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
        sets = self.samples.setdefault(str(part["fold_id"]), [0.0] * 4)
        place = _SETS.get(str(part["partition"]), 3)
        sets[place] = max(sets[place], part["n_samples"] or 0.0)

    def about(self) -> dict[str, Any]:
        """Return what a result says of its dataset, as the catalogue counts it.

        In a fold its samples are divided between sets; an average over folds was validated on samples
        that were trained on.
        """
        most = 0.0
        for fold, (train, val, test, other) in self.samples.items():
            held_out = 0.0 if fold in ("avg", "w_avg") and train else val
            most = max(most, other, train + held_out + test)
        return {
            "n_samples": int(most) or None,
            "n_features": int(self.n_features) or None,
            "task_type": self.task_type,
        }


@dataclass
class Unit:
    """The rows of one run on one dataset in one file: what one writer writes."""

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
        path: The file.
        name: The dataset that it is named after.
        rows: How many rows it says to have.
        groups: Its rows by configuration, in the order of their first rows.
        units: The same by run and dataset.
        unfit: Columns with values of types that a segment has not there, kept as `source_<column>`.
    """

    def __init__(self, path: Path) -> None:
        """Read the outline.

        Raises:
            CorruptFileError: It is no Parquet file.
            OSError: It cannot be read.
        """
        self.path = path
        self.name = path.name.removesuffix(".meta.parquet")
        self.schema, self.rows = tables.outline(path)
        self.groups: list[Group] = []
        self.units: list[Unit] = []
        self.unfit: set[str] = set()
        self._kinds = dict(_native.row_schema())

    @property
    def as_text(self) -> list[str]:
        """Columns of its own that become text, since no segment holds their type."""
        own = ((name, kind) for name, kind in self.schema.items() if name not in self._kinds)
        return [name for name, kind in own if not (tables.is_storable(kind) or kind == _null())]

    def find_groups(self, target_of: Callable[[str, str | None], Target]) -> None:
        """Find out which rows belong to which configuration; few columns are read."""
        import polars as pl

        found: dict[tuple[str, str | None], Group] = {}
        wanted = [name for name in ("dataset_name", "config_name", *_ABOUT) if name in self.schema]
        lacking = [pl.lit(None, pl.String).alias(name) for name in _ABOUT if name not in self.schema]
        for at, frame in self._batches(wanted, 0, self.rows):
            keyed = frame.with_row_index("_row", at).with_columns(lacking)
            parts = keyed.group_by("_dataset", "_config", "fold_id", "partition").agg(
                pl.len().alias("rows"),
                pl.col("_row").min().alias("first"),
                pl.col("_row").max().alias("last"),
                pl.col("n_samples").cast(pl.Float64, strict=False).max(),
                pl.col("n_features").cast(pl.Float64, strict=False).max(),
                pl.col("task_type").first(),
            )
            for part in parts.sort("first").iter_rows(named=True):
                key = part["_dataset"], part["_config"]
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
        """Yield batches with columns `_group`, `_unit`, `_result`, `_template` and `_created`."""
        table = self._table()
        names = [name for name in ("dataset_name", "config_name") if name in self.schema]
        wanted = [*columns, *(name for name in names if name not in columns)]
        for at, frame in self._batches(wanted, start, stop, lost):
            keyed = frame.join(
                table, on=["_dataset", "_config"], how="left", nulls_equal=True, maintain_order="left"
            )
            yield at, keyed

    def whole(
        self, start: int, stop: int, lost: tables.Lost | None = None
    ) -> Iterator[tuple[int, pl.DataFrame]]:
        """Yield batches of all columns, each in the type that a segment gives it; keys as in `keyed`."""
        for at, frame in self.keyed(self.schema.names(), start, stop, lost):
            yield at, self._fitted(frame)

    def _batches(
        self, columns: Sequence[str], start: int, stop: int, lost: tables.Lost | None = None
    ) -> Iterator[tuple[int, pl.DataFrame]]:
        import polars as pl

        if not columns:
            rows = stop - start
            yield start, pl.DataFrame({"_dataset": [self.name] * rows, "_config": [None] * rows})
            return
        for at, frame in tables.batches(self.path, columns, start, stop, lost):
            yield (
                at,
                frame.with_columns(
                    self._name_of("dataset_name").replace("", None).fill_null(self.name).alias("_dataset"),
                    self._name_of("config_name").alias("_config"),
                ),
            )

    def _name_of(self, column: str) -> pl.Expr:
        import polars as pl

        if column not in self.schema:
            return pl.lit(None, pl.String)
        return tables.as_text(pl.col(column), self.schema[column])

    def _table(self) -> pl.DataFrame:
        import polars as pl

        unit_of = {group.number: unit.number for unit in self.units for group in unit.groups}
        rows = [
            {
                "_dataset": group.dataset,
                "_config": group.config,
                "_group": group.number,
                "_unit": unit_of[group.number],
                "_result": group.target.result.id,
                "_template": group.target.result.template_id,
                "_created": group.target.created_at or None,
            }
            for group in self.groups
        ]
        texts = dict.fromkeys(("_dataset", "_config", "_result", "_template", "_created"), pl.String)
        schema = {**texts, "_group": pl.Int64, "_unit": pl.Int64}
        table = pl.DataFrame(rows, schema=schema)
        return table.with_columns(_time_of(pl.col("_created"), pl.String()))

    def _fitted(self, frame: pl.DataFrame) -> pl.DataFrame:
        import polars as pl

        types = _types()
        columns: list[pl.Expr] = []
        for name, source in self.schema.items():
            column, kind = pl.col(name), self._kinds.get(name)
            if name in _OURS:
                columns.append(tables.as_text(column, source).alias(f"source_{name}"))
            elif kind is None:
                columns.append(column if tables.is_storable(source) else tables.as_text(column, source))
            elif fits(kind, source):
                columns.append(_converted(kind, column, source).alias(name))
            else:
                fitted = column.cast(types[kind], strict=False)
                same = (
                    fitted.cast(source, strict=False) == column
                    if source.is_numeric()
                    else fitted.is_not_null()
                )
                is_kept = column.is_not_null() & ~same.fill_null(value=False)
                if frame.select(is_kept.any()).item():
                    self.unfit.add(name)
                if name in self.unfit:
                    kept = pl.when(is_kept).then(tables.as_text(column, source))
                    columns.append(kept.alias(f"source_{name}"))
                columns.append(pl.when(~is_kept).then(fitted).alias(name))
        if "created_at" in self.schema:
            own = _converted("time", pl.col("created_at"), self.schema["created_at"])
            columns = [column for column in columns if column.meta.output_name() != "created_at"]
            columns.append(pl.coalesce(own, "_created").alias("created_at"))
        else:
            columns.append(pl.col("_created").alias("created_at"))
        return frame.select(*columns, *KEYS[1:]).with_columns(pl.col("_dataset").alias("dataset_name"))


def _null() -> Any:  # noqa: ANN401 - a data type of Polars
    import polars as pl

    return pl.Null()


_TYPES: dict[str, Any] = {}


def _types() -> dict[str, Any]:
    import polars as pl

    if not _TYPES:
        _TYPES.update(text=pl.String(), int=pl.Int64(), float=pl.Float64(), time=pl.Datetime("us", "UTC"))
    return _TYPES


def fits(kind: str, source: Any) -> bool:  # noqa: ANN401 - a data type of Polars
    """Return whether every value of a type has a place in a column of a segment."""
    import polars as pl

    if kind == "text" or source in (_types()[kind], pl.Null):
        return True
    if kind == "float":
        return bool(
            source.is_float() or (source.is_integer() and source not in (pl.Int64, pl.UInt64, pl.Int128))
        )
    if kind == "int":
        return bool(source.is_integer() and source not in (pl.UInt64, pl.Int128))
    return kind == "time" and (source == pl.String or isinstance(source, pl.Datetime))


def _converted(kind: str, column: pl.Expr, source: Any) -> pl.Expr:  # noqa: ANN401 - a data type of Polars
    if kind == "text":
        return tables.as_text(column, source)
    return _time_of(column, source) if kind == "time" else column.cast(_types()[kind])


def _time_of(column: pl.Expr, source: Any) -> pl.Expr:  # noqa: ANN401 - a data type of Polars
    import polars as pl

    time = pl.Datetime("us", "UTC")
    if source == pl.String:
        return column.str.to_datetime(time_unit="us", time_zone="UTC", strict=False)
    if isinstance(source, pl.Datetime):
        return (
            column.cast(pl.Datetime("us", source.time_zone)).dt.convert_time_zone("UTC")
            if (source.time_zone)
            else column.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
        )
    return pl.lit(None, time)
