"""Calls of nirs4all 0.6 that no fixture has: slow ones, ones side by side, logs of others or gone."""

from datetime import timedelta

import nirs4all_workspace as n4w
import polars as pl
import pytest
from old_runs import START, manifest

PLS = ["Scaler", {"model": "PLS"}]


class Folder:
    """A folder in the making: manifests, logs and rows at seconds after a start."""

    def __init__(self, root):
        self.root = root
        self.count = 0
        self.rows = {}

    def log(self, second, text="", hours=0):
        (self.root / "logs").mkdir(exist_ok=True)
        time = START + timedelta(seconds=second, hours=hours)
        number = len(list(self.root.glob("logs/*")))
        (self.root / "logs" / f"R-{time:%Y%m%d-%H%M%S}-{number:04x}.log").write_text(text)

    def config(
        self, second, dataset="a", name="call", steps=PLS, choices=(), took=None, artifact=None, rows=1
    ):
        self.count += 1
        more = {}
        if took is not None:
            step = {"step_index": 1, "duration_ms": took * 1000.0}
            began = (START + timedelta(seconds=second)).isoformat()
            more["execution_traces"] = {"t": {"trace_id": "t", "created_at": began, "steps": [step]}}
        if artifact is not None:
            made = (START + timedelta(seconds=artifact)).isoformat()
            more["artifacts"] = {"schema_version": "2.0", "items": [{"artifact_id": "x", "created_at": made}]}
        time = (START + timedelta(seconds=second)).isoformat()
        folder = manifest(
            self.root, dataset, self.count, name, steps, list(choices), time, f"uid {self.count}", **more
        )
        self.rows.setdefault(dataset, []).extend([folder.name] * rows)

    def sessions(self):
        for dataset, names in self.rows.items():
            if names:
                frame = pl.DataFrame({"dataset_name": [dataset] * len(names), "config_name": names})
                frame.write_parquet(self.root / f"{dataset}.meta.parquet")
        runs = n4w.Workspace.open(self.root).runs.list()
        assert runs.errors == []
        return [([int(item["uid"].split()[1]) for item in run.manifests], str(run.status)) for run in runs]


@pytest.fixture
def old(tmp_path):
    return Folder(tmp_path)


def test_a_slow_call_without_logs_goes_on_after_its_trace(old):
    old.config(0, took=3_000)
    old.config(3_010, "b", took=10)
    old.config(4_000, "c")  # more than ten minutes after
    assert old.sessions() == [([1, 2], "completed"), ([3], "completed")]


def test_a_slow_call_goes_on_after_its_artifacts(old):
    old.config(0, artifact=3_000)
    old.config(3_010, "b")
    assert old.sessions() == [([1, 2], "completed")]


def test_of_calls_before_the_first_log_rules_tell(old):
    """Old logs are removed."""
    old.config(0)
    old.config(60, "b")
    old.config(3_600, "c")
    old.log(7_830)
    old.config(7_835, "d")
    old.config(10_000, "e")
    assert [uids for uids, _ in old.sessions()] == [[1, 2], [3], [4, 5]]


def test_a_log_parts_what_rules_would_join(old):
    for number, dataset in enumerate("abc"):
        old.log(10 * number)
        old.config(10 * number + 2, dataset)
    assert [uids for uids, _ in old.sessions()] == [[1], [2], [3]]


def test_logs_of_calls_that_left_nothing(old):
    old.log(0)
    old.log(5)
    old.config(7, rows=0)
    old.log(20)
    assert old.sessions() == [([1], "failed")]


def test_a_log_of_another_process_does_not_part_a_call(old):
    """A prediction that was asked for while the call was at work."""
    old.log(0)
    old.config(1, artifact=100)
    old.log(50)
    old.config(101, "b")
    assert [uids for uids, _ in old.sessions()] == [[1, 2]]


def test_calls_side_by_side(old):
    old.log(0)
    old.log(1)
    for second in range(2, 8):
        name = "one" if second % 2 else "two"
        old.config(second, "abc"[second // 2 - 1], name, artifact=second + 1.5)
    assert [uids for uids, _ in old.sessions()] == [[1, 3, 5], [2, 4, 6]]


def test_the_beginning_of_a_call_is_not_all_of_it(old):
    """Killed before its second pipeline came to the second dataset."""
    old.log(0)
    for second, (dataset, place) in enumerate([("a", 0), ("b", 0), ("a", 1)]):
        old.config(second + 1, dataset, f"list_p{place}", [f"step {place}"])
    assert old.sessions() == [([1, 2, 3], "failed")]
    old.config(5, "b", "list_p1", ["step 1"])
    assert old.sessions() == [([1, 2, 3, 4], "completed")]


def test_a_configuration_without_rows_among_others(old):
    """It went on after an error: the rows of its dataset were written."""
    old.log(0)
    old.config(1, steps=["x", "y"], choices=[{"_or_": "x"}])
    old.config(2, steps=["z", "y"], choices=[{"_or_": "z"}], rows=0)
    assert old.sessions() == [([1, 2], "completed")]


def test_rows_that_cannot_be_read_tell_nothing(old):
    old.config(0, rows=0)
    (old.root / "a.meta.parquet").write_bytes(b"PAR1 torn")
    _unknown(old, "a.meta.parquet")


def _unknown(old, path):
    """What the one session came to is unknown: it is not failed, and every listing says why."""
    workspace = n4w.Workspace.open(old.root)
    for listed in (workspace.runs.list(), workspace.results.list(), workspace.runs.list()[0].results()):
        assert [error["path"] for error in listed.errors] == [path]
    [run] = workspace.runs.list()
    [result] = run.results()
    assert (run.status, result.status) == ("completed", None)
    assert result.error.startswith(f"{path}: ")
    assert run.counts["failed"] == run.counts["done"] == 0


def test_a_link_to_nothing_in_place_of_rows_makes_nothing_failed(old):
    old.config(0, rows=0)
    (old.root / "a.meta.parquet").symlink_to("gone")
    _unknown(old, "a.meta.parquet")


def test_a_link_for_the_folder_of_a_dataset_is_followed(old):
    old.config(0, dataset="a/b", rows=0)
    (old.root / "a").symlink_to("gone")
    _unknown(old, "a")
    (old.root / "gone").mkdir()
    config = n4w.Workspace.open(old.root).runs.list()[0].manifests[0]["pipeline_id"]
    frame = pl.DataFrame({"dataset_name": ["a/b"], "config_name": [config]})
    frame.write_parquet(old.root / "gone" / "b.meta.parquet")
    [result] = n4w.Workspace.open(old.root).results.list(dataset="a/b")
    assert (result.status, result.n_rows) == ("done", 1)


def test_a_log_that_tells_of_an_error(old):
    line = "2026-01-01T00:00:00+0000 [ERROR] Pipeline call_{} on dataset a failed: no"
    begun = "2026-01-01T00:00:00+0000 [INFO ] Run 1/1: pipeline 'call_{}' on dataset 'a'\n"
    old.config(1)
    hash_ = next(old.root.glob("runs/a/*")).name[-6:]
    old.log(0, begun.format(hash_) + line.format(hash_))
    assert old.sessions() == [([1], "failed")]


@pytest.mark.parametrize("hours", [-11, -3.5, 0, 1, 5.75, 14])
def test_logs_are_in_local_time(old, hours):
    for number, dataset in enumerate("abc"):
        old.log(100 * number, hours=hours)
        old.config(100 * number + 1, dataset)
        old.config(100 * number + 3, f"{dataset}2")
    assert [uids for uids, _ in old.sessions()] == [[1, 2], [3, 4], [5, 6]]
