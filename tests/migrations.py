"""What a folder of nirs4all 0.6 and a workspace that was made of it hold, read by Polars and PyYAML alone."""

import hashlib
import json
import math
from datetime import UTC, datetime, timedelta
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
    """A column that is null throughout may be there or not."""
    row = {name: value for name, value in row.items() if value is not None}
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
            found.append(
                _key(_row({n: v for n, v in kept.items() if columns is None or n in columns}, arrays))
            )
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


class Old:
    """A small folder in the shape of nirs4all 0.6, made row by row."""

    def __init__(self, root):
        self.root = Path(root)
        self.rows = {}
        self.arrays = {}
        self.made = 0

    def config(self, dataset, name, steps=("SNV", "PLS"), choices=(), minute=0, **more):
        """Add the folder of one configuration; returns its pipeline_id."""
        self.made += 1
        digest = f"{abs(hash_of(steps)):06x}"[:6]
        config = f"{self.made:04d}_{name}_{digest}"
        manifest = {
            "schema_version": "2.0",
            "uid": f"uid-{self.made}",
            "pipeline_id": config,
            "name": f"{name}_{digest}",
            "dataset": dataset,
            "created_at": (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)).isoformat(),
            "pipeline": {"steps": list(steps)},
            "generator_choices": list(choices),
            "artifacts": {"schema_version": "2.0", "items": []},
            **more,
        }
        folder = self.root / "runs" / dataset / config
        folder.mkdir(parents=True)
        (folder / "manifest.yaml").write_text(yaml.safe_dump(manifest, allow_unicode=True), "utf-8")
        (folder / "pipeline.json").write_text(json.dumps(list(steps)))
        return config

    def row(self, dataset, config, **columns):
        """Add a row, and the array that it names as y_pred, of its own."""
        rows = self.rows.setdefault(dataset, [])
        number = sum(map(len, self.rows.values()))
        pred = f"array_{number:012x}"
        self.array(dataset, pred, [float(number), number / 3])
        rows.append(
            {
                "id": f"{number:016x}",
                "dataset_name": dataset,
                "config_name": config,
                "model_name": "PLS",
                "fold_id": str(number % 3),
                "partition": ("train", "val", "test")[number % 3],
                "val_score": number / 7,
                "metric": "rmse",
                "n_features": 12,
                "y_pred_id": pred,
                **columns,
            }
        )

    def array(self, dataset, name, data, shape=None, kind="y_pred"):
        self.arrays.setdefault(dataset, {})[name] = (data, json.dumps(shape or [len(data)]), kind)

    def write(self, schema=None):
        """Write the files of rows and arrays."""
        self.root.mkdir(parents=True, exist_ok=True)
        for dataset, rows in self.rows.items():
            frame = pl.DataFrame(rows, infer_schema_length=None, schema_overrides=schema)
            frame.write_parquet(self.root / f"{dataset}.meta.parquet")
        for dataset, arrays in self.arrays.items():
            frame = pl.DataFrame(
                {
                    "array_id": list(arrays),
                    "array_data": [data for data, _, _ in arrays.values()],
                    "array_hash": [f"hash-{name}" for name in arrays],
                    "array_size": [len(data) for data, _, _ in arrays.values()],
                    "array_shape": [shape for _, shape, _ in arrays.values()],
                    "array_type": [kind for _, _, kind in arrays.values()],
                },
                schema_overrides={"array_data": pl.List(pl.Float64)},
            )
            frame.write_parquet(self.root / f"{dataset}.arrays.parquet")
        return self.root


def hash_of(steps):
    return int.from_bytes(hashlib.sha256(json.dumps(list(steps)).encode()).digest()[:4], "big")
