"""What every test of migration does and checks."""

import json

import nirs4all_workspace as n4w
import yaml


def migrate(old, tmp_path, errors=()):
    """Migrate, and check what holds of every migration."""
    before = listing(old.root)
    report = n4w.migrate(old.root, tmp_path / "new")
    assert listing(old.root) == before
    assert [error["kind"] for error in report["errors"]] == list(errors), report["errors"]
    found = n4w.Workspace.open(tmp_path / "new").verify(full=True)
    assert found["problems"] == []
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "old"]
    return report, tmp_path / "new"


def listing(root):
    """All of a folder, contents and times: what is made and removed again shows in a folder's time."""
    return {
        path: (path.lstat().st_mode, path.lstat().st_mtime_ns, path.is_file() and path.read_bytes())
        for path in [root, *root.rglob("*")]
    }


def kinds(report):
    return sorted(note["kind"] for note in report["notes"])


def manifest(old, config, **changes):
    """Change what a manifest says; returns its path."""
    (path,) = old.root.glob(f"runs/*/{config}/manifest.yaml")
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text("utf-8")) | changes), "utf-8")
    return path
