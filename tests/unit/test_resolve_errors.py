"""What cannot be searched for a dataset is one error, however often it is looked at."""

import math

import nirs4all_workspace as n4w
from nirs4all_workspace.datasets.resolve import Resolver


class _Index:
    """An index of a folder with one folder that cannot be listed."""

    def search(self, **_):
        return [], [], [{"path": "closed", "kind": "io", "message": "Permission denied"}]


def test_a_folder_is_told_once(tmp_path, monkeypatch):
    ws = n4w.Workspace.create(tmp_path / "ws")
    (tmp_path / "a.csv").write_text("1;2\n3;4\n")
    record = ws.datasets.register(tmp_path / "a.csv")
    (tmp_path / "a.csv").unlink()
    (tmp_path / "place").mkdir()
    looked = []

    def index(resolver, root, *_):
        looked.append(root)
        resolver._indexes[str(root)] = (None, -math.inf)  # so old that it is made again
        return _Index()

    monkeypatch.setattr(Resolver, "index", index)
    found = ws.datasets.resolve(record.id, [tmp_path / "place"])
    paths = [error["path"] for error in found.errors]
    assert len(looked) > len(set(looked))
    assert {str(root / "closed") for root in looked} <= set(paths)
    assert len(paths) == len(set(paths))
