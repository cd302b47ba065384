"""Parquet files whose schema nests groups so deeply that decoders would run out of stack.

Each call runs in a process of its own, since what it must not do is end it.
"""

import struct

import nirs4all_workspace as n4w
import pyarrow as pa
import pytest
from processes import Worker
from samples import table, write

# Levels of lists that are stored, each two groups; and the groups that are read.
STORED, READ = 60, 199
OPTIONAL, REPEATED, INT32, DOUBLE = 1, 2, 1, 5


def varint(number: int) -> bytes:
    return bytes([number]) if number < 128 else bytes([number & 127 | 128]) + varint(number >> 7)


def field(step: int, kind: int, value: bytes) -> bytes:
    """A field of Thrift's compact protocol, `step` after the one before."""
    return bytes([step << 4 | kind]) + value


def element(name: bytes, *, kind=None, repetition=OPTIONAL, children=None) -> bytes:
    """A SchemaElement: type (1), repetition (3), name (4), number of children (5)."""
    number = lambda step, value: field(step, 5, varint(2 * value))  # noqa: E731
    start = number(3, repetition) if kind is None else number(1, kind) + number(2, repetition)
    end = b"" if children is None else number(1, children)
    return start + field(1, 8, varint(len(name)) + name) + end + b"\0"


def deep_file(path, groups: int, repetition: int = OPTIONAL, columns=(b"val_score",)):
    """A file without rows, one of whose columns nests so many groups."""
    elements = [element(b"schema", repetition=0, children=1 + len(columns))]
    elements += [element(name, kind=DOUBLE) for name in columns]
    elements += [element(b"g", repetition=repetition, children=1)] * groups + [element(b"x", kind=INT32)]
    schema = field(1, 9, b"\xfc" + varint(len(elements)) + b"".join(elements))
    footer = field(1, 5, b"\2") + schema + field(1, 6, b"\0") + field(1, 9, b"\x0c") + b"\0"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"PAR1" + footer + struct.pack("<I", len(footer)) + b"PAR1")
    return path


def told(errors: str) -> str:
    """An expression: the paths and kinds of errors, and how many."""
    return f"[[one['path'], one['kind']] for one in {errors}]"


@pytest.mark.parametrize("groups", [READ + 1, 1_500])
@pytest.mark.parametrize("repetition", [OPTIONAL, REPEATED])
def test_a_file_of_predictions_is_one_error_and_the_others_are_read(tmp_path, groups, repetition):
    n4w.Workspace.create(tmp_path)
    write(tmp_path / "predictions/d_1/good.meta.parquet", table(6))
    name = "predictions/d_1/deep.meta.parquet"
    deep_file(tmp_path / name, groups, repetition)
    calls = {
        "pages": ("ws.predictions.page(columns=['id'])", "len(kept['it'].records)", "kept['it'].errors"),
        "summaries": ("ws.summary()", "kept['it']['total_predictions']", "kept['it']['errors']"),
        "exports": ("ws.predictions.export(ws.path / 'o.csv')", "6", "kept['it']"),
        "rebuilding": ("ws.predictions.rebuild_summaries()", "6", "kept['it']['errors']"),
        "checks": ("ws.verify(full=True)", "6", "kept['it']['problems']"),
    }
    for what, (call, rows, errors) in calls.items():
        with Worker(tmp_path) as other:
            other.do(f"kept.update(it={call})")
            assert other.do(rows) == 6, what
            assert other.do(told(errors)) == [[name, "corrupt"]], what
    with Worker(tmp_path) as other:
        assert other.do("ws.predictions.scan().collect().height") == 6
        assert other.do("ws.predictions.get('01-000000')['id']") == "01-000000"
        assert isinstance(other.do("str(ws.predictions.compact())"), str)
        assert other.do(f"n4w.read_summary({str(tmp_path / name)!r})") == "CorruptFileError"
        assert other.do(f"n4w.read_footers([{str(tmp_path / name)!r}])[0]['num_rows']") == 0


def test_a_file_of_arrays_is_one_problem(tmp_path):
    ws = n4w.Workspace.create(tmp_path)
    with ws.predictions.writer(ws.runs.create("one").id, "wheat") as writer:
        writer.write({"id": "a", "y_true": [1.0, 2.0]})
    [path] = tmp_path.glob("arrays/*/*")
    deep_file(path, 1_500, columns=(b"array_id",))
    with Worker(tmp_path) as other:
        found = other.do(told("ws.verify(full=True)['problems']"))
        assert [path.relative_to(tmp_path).as_posix(), "corrupt"] in found
        # Whether another file still has the array or not.
        assert other.do("ws.predictions.get('a', arrays=True)['id']") in ("a", "CorruptFileError")


def test_a_dataset_is_a_note(tmp_path):
    n4w.Workspace.create(tmp_path / "ws")
    for name in ("Xcal.parquet", "Ycal.parquet"):
        deep_file(tmp_path / "data" / name, 1_500)
    for path in ("data", "data/Xcal.parquet"):
        with Worker(tmp_path / "ws") as other:
            other.do(f"kept.update(it=ws.datasets.register({str(tmp_path / path)!r}))")
            assert other.do("any('nests groups deeper' in note for note in kept['it'].notes)") is True


def test_a_migration_reports_it(tmp_path):
    write(tmp_path / "old/good.meta.parquet", table(6))
    deep_file(tmp_path / "old/deep.meta.parquet", 1_500)
    n4w.Workspace.create(tmp_path / "ws")
    with Worker(tmp_path / "ws") as other:
        other.do(f"kept.update(it=n4w.migrate({str(tmp_path / 'old')!r}, {str(tmp_path / 'new')!r}))")
        assert other.do("sum('deep.meta.parquet' in str(one) for one in kept['it']['errors'])") == 1


@pytest.mark.parametrize("make", [pa.list_, lambda kind: pa.struct([("a", kind)])], ids=["lists", "structs"])
def test_what_types_of_segments_nest_is_read(tmp_path, make):
    kind, value = pa.int64(), 1
    for _ in range(STORED):
        kind, value = make(kind), [value] if make is pa.list_ else {"a": value}
    rows = pa.table({"id": ["a"], "deep": pa.array([value], kind)})
    ws = n4w.Workspace.create(tmp_path)
    with ws.predictions.writer(ws.runs.create("one").id, "wheat") as writer:
        writer.write_batch(rows)
    assert ws.predictions.get("a")["deep"] == value
    assert ws.predictions.scan().collect()["deep"].to_list() == [value]


def test_the_deepest_that_is_read(tmp_path):
    name = "predictions/d_1/deep.meta.parquet"
    deep_file(tmp_path / name, READ)
    with Worker(tmp_path) as other:
        assert other.do(told("ws.verify(full=True)['problems']")) == []
        assert other.do(told("ws.predictions.page().errors")) == []
        assert other.do("ws.predictions.scan().collect().height") == 0
