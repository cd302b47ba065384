"""What a folder of nirs4all 0.6 and a workspace that was made of it hold, read by Polars and PyYAML alone."""

import json
import math
from pathlib import Path

import polars as pl
import yaml

GOLDEN = Path(__file__).parent / "compat" / "golden"
SAMPLES = Path(__file__).parents[2] / "shared" / "workspaces"
ROLES = ("y_true", "y_pred", "y_proba", "sample_indices", "weights")
ADDED = {"run_id", "result_id", "template_id", "created_at", "source_id"}


def _plain(value):
    return "NaN" if isinstance(value, float) and math.isnan(value) else value


def _arrays(path):
    if not path.exists():
        return {}
    frame = pl.read_parquet(path, glob=False)
    columns = ("array_id", "array_data", "array_shape")
    return {one: (shape, [_plain(x) for x in data]) for one, data, shape in frame.select(columns).iter_rows()}


def _row(row, arrays):
    """Values by column, arrays by their content; the ids of arrays that are not there as they are."""
    found = {name: _plain(value) for name, value in row.items()}
    for role in ROLES:
        name = f"{role}_id"
        if found.get(name) is not None:
            found[name] = arrays.get(found[name], found[name])
    return found


def _key(row):
    return json.dumps(row, sort_keys=True, default=str)


def rows_of_source(root):
    """Every row of an old folder, as sorted texts."""
    found = []
    for path in sorted(Path(root).glob("*.meta.parquet")):
        arrays = _arrays(path.with_name(path.name.replace(".meta.", ".arrays.")))
        found += [_key(_row(row, arrays)) for row in pl.read_parquet(path, glob=False).iter_rows(named=True)]
    return sorted(found)


def rows_of_target(root, columns=None):
    """Every row of a workspace as its source had it, as sorted texts."""
    found = []
    for path in sorted(Path(root).glob("predictions/*/*.meta.parquet")):
        arrays = {}
        run = path.name.rsplit(".", 3)[0]
        for beside in (Path(root) / "arrays" / path.parent.name).glob("*.arrays.parquet"):
            if beside.name.startswith(f"{run}."):
                arrays |= _arrays(beside)
        for row in pl.read_parquet(path, glob=False).iter_rows(named=True):
            own = {"id": row["source_id"]} if row.get("source_id") is not None else {}
            kept = {name: value for name, value in (row | own).items() if name not in ADDED}
            found.append(_key(_row({n: v for n, v in kept.items() if columns is None or n in columns}, arrays)))
    return sorted(found)


def manifests_of(root):
    return {
        path.parent.relative_to(root).as_posix(): yaml.safe_load(path.read_text("utf-8"))
        for path in sorted(Path(root).glob("runs/*/*/manifest.yaml"))
    }


def files_of(root):
    """Every file with its bytes, but for cache and locks."""
    root = Path(root)
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not {".cache", ".locks"} & set(path.relative_to(root).parts)
    }


def results_of(root):
    """The lines of all lists of results, by id."""
    lines = [
        json.loads(line)
        for path in sorted(Path(root).glob("runs/*/results.*.jsonl"))
        for line in path.read_text("utf-8").splitlines()
    ]
    assert len({line["id"] for line in lines}) == len(lines)
    return {line["id"]: line for line in lines}
