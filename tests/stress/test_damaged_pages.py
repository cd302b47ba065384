"""Damage before the footer of a segment or a file of arrays is an error that names it, and no other value."""

import base64
import os
import random
import shutil
import warnings
from pathlib import Path

import nirs4all_workspace as n4w
import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from nirs4all_workspace import _native
from settling import settle
from writing import RUN

COUNT = int(os.environ.get("N4W_STRESS_MUTANTS", "1000")) // 20
SEED = int(os.environ.get("N4W_STRESS_SEED", "1"))
ROWS = 1_500
LIST = ["id", "val_score", "model_name", "fold_id", "note", "noise"]


def values(number):
    rng = random.Random(SEED + number)
    return {
        "id": f"{number:04x}{rng.getrandbits(48):012x}",
        "val_score": rng.choice([0.5, rng.random(), float(number)]),
        "metric": "rmse",
        "partition": "val",
        "model_name": f"model {number % 3}",
        "fold_id": str(number % 5),
        "note": "long " * (number % 7),
        "noise": rng.random(),
        "y_pred": np.arange(number % 11, dtype=np.float64) / 7,
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A workspace of two segments of one run, with arrays, and its rows."""
    root = tmp_path_factory.mktemp("damaged") / "ws"
    ws = n4w.Workspace.create(root)
    rows = [values(number) for number in range(2 * ROWS)]
    for half in (rows[:ROWS], rows[ROWS:]):
        with ws.predictions.writer(RUN, "wheat") as writer:
            for row in half:
                writer.write(row)
    for journal in root.glob("predictions/*/*.journal"):
        journal.unlink()  # sealed; else compaction would wait until it goes
    return root, {row["id"]: row for row in rows}


def places(file):
    """Where the dictionary pages, data pages, and all else before the footer lie."""
    metadata = pq.read_metadata(file)
    content = file.read_bytes()
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    found = {"dictionary": [], "data": [], "other": []}
    end = 4
    for group in range(metadata.num_row_groups):
        for leaf in range(metadata.num_columns):
            chunk = metadata.row_group(group).column(leaf)
            start = chunk.dictionary_page_offset or chunk.data_page_offset
            end = max(end, start + chunk.total_compressed_size)
            if start < chunk.data_page_offset:
                found["dictionary"].append((start, chunk.data_page_offset))
            found["data"].append((chunk.data_page_offset, start + chunk.total_compressed_size))
    found["other"].append((end, footer))  # bloom filters and the page index
    return found


def damage(content, rng, place):
    """Other bytes somewhere between two places."""
    start, end = place
    made = bytearray(content)
    kind = rng.choice(["bit", "bytes", "zeros", "swap"])
    at, size = rng.randrange(start, end), rng.choice([1, 8, 200])
    if kind == "bit":
        made[at] ^= 1 << rng.randrange(8)
    elif kind == "bytes":
        made[at : min(at + size, end)] = rng.randbytes(min(size, end - at))
    elif kind == "zeros":
        made[at : min(at + size, end)] = bytes(min(size, end - at))
    else:
        other = rng.randrange(start, end)
        made[at], made[other] = made[other], made[at]
    return bytes(made)


def is_stored(row, stored):
    return all(repr(row[name]) == repr(stored[row["id"]][name]) for name in LIST)


def answers(root, stored, ids):
    """What each reader says: the files that it names, and the rows that it gives."""
    ws = n4w.Workspace.open(root)

    page = ws.predictions.page(limit=10_000, columns=LIST)
    yield "page", {error["path"] for error in page.errors}, page.records

    exported = root.parent / "exported.parquet"
    errors = ws.predictions.export(exported, columns=LIST)
    yield "export", {error["path"] for error in errors}, pl.read_parquet(exported).to_dicts()

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        rows = ws.predictions.scan().select(LIST).collect().to_dicts()
    yield "scan", {named(root, str(warning.message)) for warning in warned}, rows

    for id_ in ids:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            try:
                row = ws.predictions.get(id_, arrays=True)
                assert np.array_equal(row["y_pred"], stored[id_]["y_pred"]), id_
                found, rows = set(), [row]
            except n4w.NotFoundError:
                found, rows = set(), []
            except n4w.CorruptFileError as error:
                found, rows = {named(root, str(error))}, []
        yield "get", found | {named(root, str(warning.message)) for warning in warned}, rows

    refused = {error["path"] for error in ws.predictions.compact()["errors"]}
    rows = n4w.Workspace.open(root).predictions.page(limit=10_000, columns=LIST).records
    yield "compact", refused, [] if refused else rows


def named(root, text):
    """The file of the workspace that a text names."""
    (path,) = (word for word in text.replace(": ", " ").split() if word.endswith(".parquet"))
    return Path(path).relative_to(root).as_posix() if Path(path).is_absolute() else path


def checked(root, stored, damaged, ids):
    """Demand of every reader all rows, or the name of the damaged file and the others' rows."""
    whole = n4w.Workspace.open(root).summary()["total_predictions"]
    assert whole == len(stored)
    problems = {problem["path"] for problem in n4w.Workspace.open(root).verify(full=True)["problems"]}
    assert problems == {damaged}
    noticed = set()
    for reader, names, rows in answers(root, stored, ids):
        assert names <= {damaged}, reader
        assert all(is_stored(row, stored) for row in rows), reader
        if reader not in ("get", "compact"):
            assert len(rows) == (ROWS if names else len(stored)), reader
        assert rows or names, reader
        noticed |= {reader} if names else set()
    return noticed


@pytest.mark.parametrize("kind", ["segment", "arrays"])
def test_damages(made, tmp_path, kind):
    root, stored = made
    folder = root / ("predictions" if kind == "segment" else "arrays")
    file = sorted(folder.glob("*/*.parquet"))[0]
    content, where = file.read_bytes(), places(file)
    relative = file.relative_to(root)
    mine = ids_of(file, root)
    rng = random.Random(SEED)
    seen = set()
    for number in range(COUNT if kind == "segment" else COUNT // 4):
        region = rng.choice(list(where))
        if not where[region]:
            continue
        made_of = damage(content, rng, rng.choice(where[region]))
        if made_of == content:
            continue
        copy = tmp_path / str(number) / "ws"
        shutil.copytree(root, copy, ignore=shutil.ignore_patterns(".cache"))
        (copy / relative).write_bytes(made_of)
        seen |= checked(copy, stored, relative.as_posix(), rng.sample(mine, 2))
        shutil.rmtree(copy.parent)
    if COUNT >= 50:
        assert seen == ({"page", "export", "scan", "get", "compact"} if kind == "segment" else {"get"})


def ids_of(file, root):
    """The ids of the rows whose file this is, or whose arrays lie in it."""
    segment = root / "predictions" / file.parent.name / file.name.replace(".arrays.", ".meta.")
    return pl.read_parquet(segment, columns=["id"])["id"].to_list()


def test_every_chunk_has_the_checksum_of_its_bytes(made):
    xxhash = pytest.importorskip("xxhash")
    root, _ = made
    for file in sorted(root.glob("*/*/*.parquet")):
        metadata, content = pq.read_metadata(file), file.read_bytes()
        text = metadata.metadata[b"n4a_chunks"]
        sums = base64.b64decode(text, validate=True)
        assert sums[:5] == b"N4AC\x01"
        numbers = [sums[at : at + 8] for at in range(21, len(sums), 8)]
        wanted = []
        for group in range(metadata.num_row_groups):
            for leaf in range(metadata.num_columns):
                chunk = metadata.row_group(group).column(leaf)
                start = chunk.dictionary_page_offset or chunk.data_page_offset
                pages = content[start : start + chunk.total_compressed_size]
                wanted.append(xxhash.xxh3_64_intdigest(pages).to_bytes(8, "little"))
        assert numbers[: len(wanted)] == wanted
        assert len(numbers) == len(wanted) + metadata.num_row_groups  # one bloom filter each


def test_a_segment_whose_footer_another_program_copied_is_read_without_checksums(made, tmp_path):
    root, stored = made
    copy = tmp_path / "ws"
    shutil.copytree(root, copy, ignore=shutil.ignore_patterns(".cache"))
    file = sorted(copy.glob("predictions/*/*.meta.parquet"))[0]
    keys = pq.read_metadata(file).metadata
    keys.pop(b"ARROW:schema")
    assert b"n4a_chunks" in keys
    pq.write_table(pq.read_table(file).replace_schema_metadata(keys), file)
    assert pq.read_metadata(file).metadata[b"n4a_chunks"] == keys[b"n4a_chunks"]
    assert _native.check_chunks([file]) == [None]
    page = n4w.Workspace.open(copy).predictions.page(limit=10_000, columns=LIST)
    assert page.errors == []
    assert all(is_stored(row, stored) for row in page.records)
    assert len(page.records) == len(stored)


def test_a_file_is_checked_again_when_its_state_changes(made, tmp_path):
    root, _ = made
    file = tmp_path / "copy.meta.parquet"
    shutil.copyfile(sorted(root.glob("predictions/*/*.meta.parquet"))[0], file)
    settle(file)  # what was found of a younger file is not remembered
    assert _native.check_chunks([file], ["id"]) == [None]
    assert _native.check_chunks([file], ["id"]) == [None]
    content = bytearray(file.read_bytes())
    (start, _), *_ = places(file)["data"]
    content[start + 100] ^= 1
    file.write_bytes(content)
    (found,) = _native.check_chunks([file], ["id"])
    assert isinstance(found, n4w.CorruptFileError)
    assert found.path == str(file)
    assert _native.check_chunks([file], ["val_score"]) == [None]


@pytest.fixture
def copied(made, tmp_path):
    """A copy of the workspace, and one of its segments."""
    copy = tmp_path / "ws"
    shutil.copytree(made[0], copy, ignore=shutil.ignore_patterns(".cache"))
    return copy, sorted(copy.glob("predictions/*/*.meta.parquet"))[0]


def test_a_damaged_bloom_filter_denies_no_row(copied):
    root, file = copied
    ids = ids_of(file, root)
    content = bytearray(file.read_bytes())
    ((start, _),) = places(file)["other"]
    content[start + 32 : start + 1_056] = bytes(1_024)  # the filter of the only row group
    file.write_bytes(content)
    with pytest.warns(UserWarning, match=file.name), pytest.raises(n4w.NotFoundError):
        n4w.Workspace.open(root).predictions.get(ids[0])


def test_rows_are_taken_from_checked_chunks(made, copied):
    root, file = copied
    metadata = pq.read_metadata(file)
    group = metadata.row_group(0)
    (noise,) = (
        chunk for chunk in map(group.column, range(group.num_columns)) if chunk.path_in_schema == "noise"
    )
    content = bytearray(file.read_bytes())
    # Random numbers are stored as they are: another bit is another number.
    content[noise.dictionary_page_offset + 4_001] ^= 1
    file.write_bytes(content)
    assert pl.read_parquet(file)["noise"].to_list() != [made[1][id_]["noise"] for id_ in ids_of(file, root)]
    page = n4w.Workspace.open(root).predictions.page(limit=10, columns=["id", "noise"])
    assert [error["path"] for error in page.errors] == [file.relative_to(root).as_posix()]


def test_one_thread_finds_what_several_find(made, tmp_path):
    files = []
    for number, file in enumerate(sorted(made[0].glob("*/*/*.parquet")) * 3):
        copy = tmp_path / f"{number}.meta.parquet"
        content = damage(file.read_bytes(), random.Random(number), places(file)["data"][number % 3])
        copy.write_bytes(content if number % 2 else file.read_bytes())
        files.append(copy)
    one, several = (list(map(str, _native.check_chunks(files, threads=count))) for count in (1, 4))
    assert one == several
    assert 0 < one.count("None") < len(files)
