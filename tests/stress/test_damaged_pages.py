"""A flipped bit of a segment is an error that names the file, or changes no more than for Polars.

Parquet pages carry no checksum: a bit of a stored value may become another value, for every reader.
"""

import os
import random

import nirs4all_workspace as n4w
import polars as pl
from paging import LIST, ordered
from writing import RUN

STRIDE = int(os.environ.get("N4W_STRESS_STRIDE", "5"))
SEED = int(os.environ.get("N4W_STRESS_SEED", "1"))


def segment(root):
    ws = n4w.Workspace.create(root)
    rng = random.Random(SEED)
    with ws.predictions.writer(RUN, "wheat") as writer:
        for number in range(3_000):
            writer.write(
                {
                    "id": f"{rng.getrandbits(64):016x}",
                    "val_score": rng.choice([0.5, rng.random()]),
                    "metric": "rmse",
                    "partition": "val",
                    "model_name": f"model {number % 3}",
                    "fold_id": str(number % 5),
                }
            )
    (file,) = root.glob("predictions/*/*.meta.parquet")
    return file


def by_polars(file, limit):
    try:
        rows = pl.read_parquet(file).with_columns(stem=pl.lit(""), row=pl.int_range(pl.len()))
        return repr(ordered(rows, "val_score", None).select(LIST).head(limit).to_dicts())
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError):
        return None


def test_a_flipped_bit(tmp_path):
    file = segment(tmp_path / "ws")
    whole = file.read_bytes()
    wanted = by_polars(file, 50)
    rng = random.Random(SEED)
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    found = 0
    for number in range(60 * 5 // STRIDE):
        # Half of them between the last page and the footer, where bloom filters and the page index lie.
        at = rng.randrange(4, footer) if number % 2 else rng.randrange(footer * 3 // 4, footer)
        damaged = bytearray(whole)
        damaged[at] ^= 1 << rng.randrange(8)
        # A workspace of its own: nothing of it is in memory.
        root = tmp_path / str(number)
        copy = root / "predictions" / file.parent.name / file.name
        copy.parent.mkdir(parents=True)
        copy.write_bytes(damaged)
        page = n4w.Workspace.open(root).predictions.page(limit=50)
        if page.errors:
            assert [error["path"] for error in page.errors] == [copy.relative_to(root).as_posix()]
            found += 1
        else:
            assert repr(page.records) in (wanted, by_polars(copy, 50)), f"bit of byte {at}"
        copy.unlink()
    assert found > 0
