"""Folders of configurations as nirs4all 0.6 leaves them, and the calls that made them."""

import hashlib
import json
import random
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import yaml

START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Call:
    """One call of `nirs4all.run`.

    Attributes:
        name: The name that it was given.
        datasets: In the order that it works through them.
        configs: Steps and generator choices of each configuration.
        pauses: Seconds before each manifest.
        before: Seconds before the call.
        by_config: Whether each configuration is run on all datasets before the next one.
        uids: Of the manifests that it left, in order.
    """

    name: str
    datasets: list
    configs: list
    pauses: list
    by_config: bool = False
    before: int = 1
    uids: list = field(default_factory=list)

    def pairs(self):
        """Dataset and configuration of each manifest, in the order that they are made."""
        if self.by_config:
            return [(dataset, config) for config in self.configs for dataset in self.datasets]
        return [(dataset, config) for dataset in self.datasets for config in self.configs]


def config_hash(steps):
    return hashlib.md5(json.dumps(steps).encode()).hexdigest()[:6]


def write(root, calls, start=START, numbers=None):
    """Leave what these calls leave, one after another."""
    time = start
    counts = {}
    for call in calls:
        time += timedelta(seconds=call.before)
        for number, (dataset, (steps, choices)) in enumerate(call.pairs()):
            time += timedelta(seconds=call.pauses[number % len(call.pauses)])
            counts[dataset] = counts.get(dataset, 0) + 1
            uid = str(uuid.UUID(int=(numbers or UIDS).getrandbits(128)))
            call.uids.append(uid)
            manifest(root, dataset, counts[dataset], call.name, steps, choices, time.isoformat(), uid)


def manifest(root, dataset, number, name, steps, choices, created_at, uid, **changes):
    """Write one manifest; a change to None leaves the key out. Returns its folder."""
    full = f"{name}_{config_hash(steps)}"
    pipeline_id = f"{number:04d}_{full}"
    content = {
        "schema_version": "2.0",
        "uid": uid,
        "pipeline_id": pipeline_id,
        "name": full,
        "dataset": dataset,
        "created_at": created_at,
        "pipeline": {"steps": steps},
        "generator_choices": choices,
        "metadata": {},
        "artifacts": {"schema_version": "2.0", "items": []},
        "predictions": [],
    } | changes
    content = {key: value for key, value in content.items() if value is not None}
    folder = root / "runs" / dataset / pipeline_id
    folder.mkdir(parents=True)
    (folder / "manifest.yaml").write_text(yaml.safe_dump(content, sort_keys=False), "utf-8")
    return folder


UIDS = random.Random(7)
