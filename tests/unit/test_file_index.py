"""The index of a tree of files: against os.walk, against damage, against what may not be read."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import nirs4all_workspace as n4w
import pytest


def write(root, files):
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)


def sha256(content):
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def walked(root):
    return sorted(str(Path(folder) / file) for folder, _, files in os.walk(root) for file in files)


def all_files(index):
    """Every file, by looking for each size there is."""
    sizes = {Path(path).stat().st_size for path in walked(index.root)}
    found = {path for size in sizes for path in index.find(size=size)}
    return sorted(path for path in found if not Path(path).is_dir())


NAMES = [
    "plain",
    "with space",
    "new\nline",
    "déjà/vu",
    "数据/集",
    b"not\xffutf8".decode("utf-8", "surrogateescape"),
]


def test_any_name(tmp_path):
    write(tmp_path, {name: name.encode("utf-8", "surrogateescape") for name in NAMES})
    index = n4w.FileIndex(tmp_path)
    assert all_files(index) == walked(tmp_path)
    assert len(index) == len(NAMES)
    for name in NAMES:
        content = name.encode("utf-8", "surrogateescape")
        path = str(tmp_path / name)
        assert path in index.find(hash=sha256(content), size=len(content))
        assert path in n4w.FileIndex(tmp_path).find(hash=n4w.hash_file(path))


def test_a_kept_index_answers_for_what_is_there_now(tmp_path, own_cache_folder):
    write(tmp_path, {f"{i % 7}/{i}": b"x" * i for i in range(100)})
    assert all_files(n4w.FileIndex(tmp_path)) == walked(tmp_path)
    (tmp_path / "3/3").rename(tmp_path / "4/three")
    (tmp_path / "5/5").write_bytes(b"longer than before")
    (tmp_path / "6/6").unlink()
    write(tmp_path, {"8/new": b"!"})
    index = n4w.FileIndex(tmp_path)
    assert all_files(index) == walked(tmp_path)
    assert sorted(index.find(size=18)) == sorted([str(tmp_path / "4/18"), str(tmp_path / "5/5")])
    assert list(own_cache_folder.glob("nirs4all-workspace/*/index.bin"))


def test_damaged_and_older_caches_are_ignored_and_made_anew(tmp_path, own_cache_folder):
    root = tmp_path / "root"
    write(root, {f"{i}/{i}": b"x" * i for i in range(3)})
    n4w.FileIndex(root)
    (file,) = own_cache_folder.glob("nirs4all-workspace/*/index.bin")
    good = file.read_bytes()
    damaged = [good[:cut] for cut in range(0, len(good), 7)]
    damaged += [good[:i] + bytes([good[i] ^ 0x10]) + good[i + 1 :] for i in range(0, len(good), 3)]
    for content in [*damaged, b"", b"N4AI\2", os.urandom(500)]:
        file.write_bytes(content)
        assert all_files(n4w.FileIndex(root)) == walked(root)
    assert len(file.read_bytes()) == len(good)


def test_a_cache_of_another_tree_is_ignored(tmp_path, own_cache_folder):
    write(tmp_path, {"one/a": b"1", "two/b": b"22"})
    n4w.FileIndex(tmp_path / "one")
    (one,) = own_cache_folder.glob("nirs4all-workspace/*/index.bin")
    n4w.FileIndex(tmp_path / "two")
    (two,) = set(own_cache_folder.glob("nirs4all-workspace/*/index.bin")) - {one}
    two.write_bytes(one.read_bytes())
    assert all_files(n4w.FileIndex(tmp_path / "two")) == [str(tmp_path / "two/b")]


def test_without_any_cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nowhere")
    write(tmp_path, {"a": b"1"})
    assert n4w.FileIndex(tmp_path).find(size=1) == [str(tmp_path / "a"), str(tmp_path)]


def test_what_may_not_be_read_is_reported_and_the_rest_is_indexed(tmp_path):
    """In a process without rights, since root may read everything."""
    tmp_path.chmod(0o755)
    for parent in list(tmp_path.parents)[:3]:
        if parent.owner() == Path.home().owner() and parent != Path("/tmp"):
            parent.chmod(parent.stat().st_mode | 0o055)
    write(tmp_path, {"open/a": b"1", "closed/b": b"2", "unreadable": b"3"})
    (tmp_path / "closed").chmod(0)
    (tmp_path / "unreadable").chmod(0)
    code = f"""
import os, sys
if os.getuid() == 0:
    import nirs4all_workspace as n4w
    os.setgid(65534); os.setuid(65534)
import nirs4all_workspace as n4w
root = {str(tmp_path)!r}
index = n4w.FileIndex(root)
print(len(index), [(e["path"], e["kind"]) for e in index.errors])
print(index.find(hash={sha256(b"1")!r}) == [root + "/open/a"], index.find(hash={sha256(b"3")!r}))
print(index.search(hash={sha256(b"3")!r}, size=1)[2])
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    (tmp_path / "closed").chmod(0o755)
    lines = run.stdout.splitlines()
    assert lines[0] == "2 [('closed', 'io')]", run.stderr
    assert lines[1] == "True []"
    assert "'unreadable'" in lines[2]
    assert "Permission denied" in lines[2]


def test_duplicates_of_generated_files(tmp_path):
    contents = {f"{i % 5}/{i}": bytes([i % 11]) * (1 + i % 3) for i in range(90)}
    write(tmp_path, contents)
    groups = {}
    for name, content in contents.items():
        groups.setdefault(content, []).append(str(tmp_path / name))
    expected = sorted(sorted(group) for group in groups.values() if len(group) > 1)
    assert n4w.FileIndex(tmp_path).duplicates() == expected
    assert n4w.FileIndex(tmp_path, threads=1).duplicates() == expected


def test_what_makes_no_sense_is_refused(tmp_path):
    index = n4w.FileIndex(tmp_path)
    for arguments in ({}, {"hash": "sha256:12"}, {"hash": "abc"}, {"quick": "quick2:0123456789abcdef"}):
        with pytest.raises(ValueError, match="hash"):
            index.find(**arguments)
    with pytest.raises(FileNotFoundError):
        n4w.FileIndex(tmp_path / "none")
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        n4w.FileIndex(tmp_path / "file")
