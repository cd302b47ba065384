"""Damaged copies of a Parquet file, and workers that read them where a crash harms nobody.

python mutants.py read OUT FILE...      what the package says of each file
python mutants.py rows OUT FILE...      what pyarrow reads of each file, as the oracle's summary
"""

import json
import random
import resource
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

TAIL = 64 * 1024
NEEDED = ["val_score", "test_score", "train_score", "metric", "partition", "model_name"]
MEMORY = 4 * 1024**3


def mutate(content: bytes, rng: random.Random) -> bytes:
    """Damage somewhere in the last 64 KiB, mostly in the footer."""
    made = bytearray(content)
    footer = len(content) - 8 - struct.unpack("<I", content[-8:-4])[0]
    start = max(4, len(content) - TAIL) if rng.random() < 0.2 else max(4, footer)
    kind = rng.choice(
        ["flip", "flip", "flip", "byte", "insert", "delete", "cut", "swap", "repeat", "extreme", "length"]
    )
    for _ in range(rng.choice([1, 1, 1, 2, 5])):
        at = rng.randrange(start, len(made))
        size = rng.randrange(1, 20)
        if kind == "flip":
            made[at] ^= 1 << rng.randrange(8)
        elif kind == "byte":
            made[at] = rng.randrange(256)
        elif kind == "insert":
            made[at:at] = rng.randbytes(size)
        elif kind == "delete":
            del made[at : at + size]
        elif kind == "cut":
            del made[at:]
        elif kind == "swap":
            other = rng.randrange(start, len(made))
            made[at], made[other] = made[other], made[at]
        elif kind == "repeat":
            made[at:at] = made[at : at + size]
        elif kind == "extreme":
            made[at : at + 5] = b"\xff\xff\xff\xff\x0f"[: len(made) - at]
        else:
            made[-8:-4] = struct.pack("<I", rng.randrange(2 ** rng.randrange(1, 32)))
        start = min(start, len(made) - 1)
    return bytes(made)


def essence(summary: dict) -> dict:
    """The parts of a summary that tell a wrong answer from a right one."""
    return {
        "total": summary["total_predictions"],
        "metrics": {
            metric: [group["count"], *(essence_of(group["stats"][score]) for score in sorted(group["stats"]))]
            for metric, group in sorted(summary["by_metric"].items())
        },
        "partitions": sorted(
            ([entry["name"], entry["count"]] for entry in summary["facets"]["partitions"]), key=repr
        ),
        "models": sorted(
            ([entry["name"], entry["count"]] for entry in summary["facets"]["models"]), key=repr
        ),
    }


def essence_of(stats: dict) -> list:
    return [
        *(stats[key] for key in ("count", "nulls", "nans", "infs")),
        *(shown(stats[key]) for key in ("min", "max", "mean")),
    ]


def shown(value):
    return None if value is None else f"{value:.9g}"


def read(paths):
    import nirs4all_workspace as n4w

    for path in paths:
        [result] = n4w.read_summaries([path])
        if result.error is None:
            yield {"path": path, "scanned": result.scanned, "essence": essence(result.summary)}
        else:
            yield {"path": path, "error": type(result.error).__name__, "message": str(result.error)}


def rows(paths):
    import oracle
    import polars as pl
    import pyarrow.parquet as pq

    for path in paths:
        try:
            # Each column by itself: a damaged page of one says nothing of the others.
            file = pq.ParquetFile(path)
            names = [name for name in NEEDED if name in file.schema_arrow.names]
            columns = [file.read([name], use_threads=False) for name in names]
            frame = pl.concat([pl.from_arrow(column) for column in columns], how="horizontal")
            if len({len(column) for column in columns}) != 1 or len(frame) != file.metadata.num_rows:
                raise ValueError("columns of unequal length")
            summary = oracle.summarise(frame)
        except Exception as error:  # noqa: BLE001  whatever it is, pyarrow does not read the file
            yield {"path": path, "error": type(error).__name__}
            continue
        yield {"path": path, "essence": of_oracle(summary)}


def of_oracle(summary: dict) -> dict:
    """The same parts of what the oracle says."""
    as_lists = [{"name": name, "count": entry["count"]} for name, entry in summary["models"].items()]
    partitions = [{"name": name, "count": count} for name, count in summary["partitions"].items()]
    return essence(summary | {"facets": {"models": as_lists, "partitions": partitions}})


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    mode, out, *paths = sys.argv[1:]
    with Path(out).open("a") as file:
        for answer in {"read": read, "rows": rows}[mode](paths):
            # Line by line, so that it is known which file a crash came from.
            print(json.dumps(answer), file=file, flush=True)


if __name__ == "__main__":
    main()
