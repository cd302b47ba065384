"""The predictions of a store, in the columns and types of a workspace."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nirs4all_workspace import _native
from nirs4all_workspace.stores import sample_ids
from nirs4all_workspace.stores.array_files import METADATA, ROLES, shape_of
from nirs4all_workspace.values import strict_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

    from nirs4all_workspace.stores.plan import Part
    from nirs4all_workspace.stores.source import Source

# Columns of a store by their names here.
_NAMES = {
    "prediction_id": "id",
    "pipeline_id": "pipeline_uid",
    "model_class": "model_classname",
}
# Columns with a meaning of their own in a workspace.
_OURS = ("id", "run_id", "result_id", "template_id", "config_name", "metadata")
_FLOATS = ("sample_influence_weight",)
# What fills a row's empty text, by column: the column of its chain.
FROM_CHAIN = {"model_classname": "model_class", "preprocessings": "preprocessings"}
ARRAY_TYPES = {"sample_indices": "indices"}
PART = "n4w:part"
REFERENCES = tuple(f"{role}_id" for role in ROLES)


def _schema_of_arrays() -> dict[str, Any]:
    import polars as pl

    texts = dict.fromkeys(("array_shape", "array_type"), pl.String)
    return {PART: pl.Int64, "array_data": pl.List(pl.Float64), **texts}


class Rows:
    """Reads predictions by their ids, and joins what the rest of the store says of them.

    Attributes:
        beside: Numbers of values that do not fit their column, kept as text in `source_<column>`.
        sample_ids: The hashes of datasets in ids of samples that were left out, by part.
    """

    def __init__(
        self, source: Source, parts: Sequence[Part], pipelines: Mapping[str, Mapping[str, Any]]
    ) -> None:
        """Find the columns that are used, and the chains that fill empty ones."""
        import polars as pl

        self._source = source
        self._parts = parts
        self._columns = source.used_columns("predictions") or ["prediction_id"]
        self._kinds = dict(_native.row_schema())
        self.beside: Counter[str] = Counter()
        self.sample_ids: dict[int, set[str]] = {}
        texts = ("pipeline", "dataset", "result_id", "template_id", "config_name")
        schema: dict[str, Any] = dict.fromkeys(texts, pl.String) | {
            PART: pl.Int64,
            "made": pl.Datetime("us", "UTC"),
        }
        found = []
        for part in parts:
            for pipeline_id, result in part.results_of_pipelines.items():
                name = pipelines[pipeline_id]["name"]
                found.append(
                    (
                        pipeline_id,
                        part.source_dataset,
                        result.id,
                        result.template_id,
                        name,
                        part.number,
                        part.made,
                    )
                )
        self._results = pl.DataFrame(found, schema, orient="row")
        self._chains = self._chains_of()

    def of(self, ids: Sequence[str], parts: Sequence[int] | None = None) -> pl.DataFrame:
        """Return the predictions with the given ids, with the number of their part as `PART`.

        Args:
            ids: Their ids.
            parts: Only those of these parts; None for all.
        """
        import polars as pl

        frame = self._frame(self._source.predictions(self._columns, ids))
        named = frame.join(
            self._results,
            left_on=["pipeline_uid", "dataset_name"],
            right_on=["pipeline", "dataset"],
            how="inner",
            maintain_order="left",
        )
        if parts is not None:
            named = named.filter(pl.col(PART).is_in(parts))
        return named.with_columns(pl.col("created_at").fill_null(pl.col("made"))).drop("made")

    def _frame(self, rows: list[tuple[Any, ...]]) -> pl.DataFrame:
        import polars as pl

        columns: dict[str, pl.Series] = {}
        cells = zip(*rows, strict=True) if rows else ((),) * len(self._columns)
        for name, values in zip(self._columns, cells, strict=False):
            ours = self._name_of(name)
            column, text = self._column(ours, list(values))
            columns[ours] = column
            if text is not None:
                columns[f"source_{ours}"] = text
                self.beside[ours] += text.count()
        needed: dict[str, Any] = {
            "pipeline_uid": pl.String,
            "dataset_name": pl.String,
            "created_at": pl.Datetime("us", "UTC"),
        }
        lacking = {name: kind for name, kind in needed.items() if name not in columns}
        frame = pl.DataFrame(list(columns.values())) if columns else pl.DataFrame()
        frame = frame.with_columns(pl.lit(None, kind).alias(name) for name, kind in lacking.items())
        return self._filled(frame)

    def _name_of(self, column: str) -> str:
        ours = _NAMES.get(column, column)
        is_taken = column not in _NAMES and (column in _OURS or column.startswith(("source_", "n4w:")))
        return f"source_{column}" if is_taken else ours

    def _column(self, name: str, values: list[Any]) -> tuple[pl.Series, pl.Series | None]:
        """Return a column in its type, and the values that do not fit it as texts, if any."""
        import polars as pl

        # Columns that rows of nirs4all 0.6 lack are texts, so that all segments agree.
        kind = self._kinds.get(name, "float" if name in _FLOATS else "text")
        if kind == "time":
            return _times(name, values)
        types: dict[str, tuple[Any, set[type]]] = {
            "text": (pl.String, {str}),
            "int": (pl.Int64, {int}),
            "float": (pl.Float64, {int, float}),
        }
        dtype, accepted = types[kind]
        if set(map(type, values)) <= accepted | {type(None)}:
            try:
                return pl.Series(name, values, dtype), None
            except (OverflowError, pl.exceptions.PolarsError, TypeError):
                pass
        fitting = [value if type(value) in accepted and _is_exact(value, kind) else None for value in values]
        odd = [
            None if value is None or fit is not None else _as_text(value)
            for value, fit in zip(values, fitting, strict=True)
        ]
        if kind == "text":
            return pl.Series(
                name,
                [fit if fit is not None else text for fit, text in zip(fitting, odd, strict=True)],
                dtype,
            ), None
        return pl.Series(name, fitting, dtype), pl.Series(f"source_{name}", odd, pl.String)

    def _filled(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return rows whose empty names of model and preprocessing are those of their chains."""
        import polars as pl

        if self._chains.is_empty() or "chain_id" not in frame.columns:
            return frame
        whole = frame.join(
            self._chains, left_on="chain_id", right_on="n4w:chain", how="left", maintain_order="left"
        )
        filled = []
        for name in FROM_CHAIN:
            own = pl.col(name) if name in frame.columns else pl.lit(None, pl.String)
            other = pl.col(f"n4w:{name}")
            is_empty = own.is_null() | (own == "")
            filled.append(pl.when(is_empty & other.is_not_null()).then(other).otherwise(own).alias(name))
        return whole.with_columns(filled).drop(f"n4w:{name}" for name in FROM_CHAIN)

    def _chains_of(self) -> pl.DataFrame:
        import polars as pl

        known = self._source.tables.get("chains", [])
        columns = ["chain_id", *FROM_CHAIN.values()]
        rows = []
        if set(columns) <= set(known):
            for batch in self._source.column_batches("chains", columns):
                rows += [row for row in batch if any(isinstance(value, str) and value for value in row[1:])]
        cells = [tuple(value if isinstance(value, str) and value else None for value in row) for row in rows]
        schema = ["n4w:chain", *(f"n4w:{name}" for name in FROM_CHAIN)]
        return pl.DataFrame(cells, dict.fromkeys(schema, pl.String), orient="row").unique(
            "n4w:chain", keep="first"
        )

    def with_arrays(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Return rows with the ids of their arrays, and these arrays as a writer takes them.

        Args:
            frame: Rows joined with the columns of a file of arrays.

        Returns:
            The rows, and the arrays; both with the number of the part as `PART`.
        """
        import polars as pl

        ids: dict[str, list[str | None]] = {}
        pieces, places = [pl.DataFrame(schema=_schema_of_arrays())], []
        for role in ROLES:
            if role not in frame.columns or frame[role].null_count() == frame.height:
                continue
            some = frame.filter(pl.col(role).is_not_null())
            columns = (
                pl.col(PART),
                pl.col(role).alias("array_data"),
                shape_of(some, role),
                pl.lit(ARRAY_TYPES.get(role, role)).alias("array_type"),
            )
            pieces.append(some.select(columns))
            places.append((role, frame.select(pl.col(role).is_not_null().arg_true()).to_series().to_list()))
        arrays = pl.concat(pieces)
        given = iter(_native.array_ids(arrays) if places else ())
        for role, rows in places:
            column: list[str | None] = [None] * frame.height
            for place in rows:
                column[place] = next(given)
            ids[role] = column
        frame, hashes = sample_ids.without(frame, METADATA)
        for number, digest in pl.DataFrame([frame[PART], hashes]).drop_nulls().unique().iter_rows():
            self.sample_ids.setdefault(number, set()).add(digest)
        dropped = [*ROLES, *(f"{role}_shape" for role in ROLES)]
        named = [pl.Series(f"{role}_id", column, pl.String) for role, column in ids.items()]
        return frame.drop(dropped, strict=False).with_columns(named), arrays


def _is_exact(value: Any, kind: str) -> bool:  # noqa: ANN401 - what a cell holds
    if kind == "int":
        return bool(-(2**63) <= value < 2**63)
    return kind != "float" or type(value) is float or bool(int(float(value)) == value)


def _as_text(value: Any) -> str:  # noqa: ANN401 - what a cell holds
    if isinstance(value, bytes):
        return value.hex()
    return value if isinstance(value, str) else strict_json.dumps(value)


def _times(name: str, values: list[Any]) -> tuple[pl.Series, pl.Series | None]:
    import polars as pl

    kind = pl.Datetime("us", "UTC")
    if all(value is None or isinstance(value, str) for value in values):
        texts = pl.Series(name, values, pl.String)
        times = texts.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", time_zone="UTC", strict=False)
        if times.null_count() == texts.null_count():
            return times, None
    parsed = [time_of(value) for value in values]
    odd = [
        None if value is None or time is not None else _as_text(value)
        for value, time in zip(values, parsed, strict=True)
    ]
    beside = pl.Series(f"source_{name}", odd, pl.String)
    return pl.Series(name, parsed, kind), beside if beside.count() else None


def time_of(value: object) -> datetime | None:
    """Return a time of a store, in UTC, which one without a zone is taken as; None where it is no time."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    try:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError:
        return None
