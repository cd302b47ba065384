"""Fingerprints against hashlib and the blake3 package; files that change meanwhile; interruption."""

import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading

import blake3
import nirs4all_workspace as n4w
import pytest
from hypothesis import given
from hypothesis import strategies as st


def hex_of(algorithm, content):
    return (
        blake3.blake3(content).hexdigest() if algorithm == "blake3" else hashlib.sha256(content).hexdigest()
    )


@pytest.mark.parametrize("algorithm", ["blake3", "sha256"])
@pytest.mark.parametrize("threads", [0, 1, 3])
def test_large_files(tmp_path, algorithm, threads):
    content = os.urandom(1 << 20) * 21 + b"end"
    (tmp_path / "file").write_bytes(content)
    found = n4w.hash_file(tmp_path / "file", algorithm, threads=threads)
    assert found == f"{algorithm}:{hex_of(algorithm, content)}"


@given(content=st.binary(max_size=3000))
def test_small_files(tmp_path_factory, content):
    file = tmp_path_factory.getbasetemp() / "small"
    file.write_bytes(content)
    for algorithm in ("blake3", "sha256"):
        assert n4w.hash_file(file, algorithm) == f"{algorithm}:{hex_of(algorithm, content)}"


def test_real_files_and_folders(data):
    for folder in ("regression", "classification"):
        listing = b"n4w folder 1\n"
        for file in sorted(data(folder).iterdir()):
            content = file.read_bytes()
            assert n4w.hash_file(file) == f"blake3:{hex_of('blake3', content)}"
            name = file.name.encode()
            listing += len(name).to_bytes(8, "little") + name + b"\0" + blake3.blake3(content).digest()
            head = len(content).to_bytes(8, "little") + content[:65536]
            quick = blake3.blake3(head + content[max(65536, len(content) - 65536) :]).hexdigest()[:16]
            assert n4w.quick_hash(file) == f"quick1:{quick}"
        assert n4w.hash_file(data(folder)) == f"blake3:{hex_of('blake3', listing)}"
        largest = max(data(folder).iterdir(), key=lambda file: file.stat().st_size)
        assert n4w.quick_hash(data(folder)) == n4w.quick_hash(largest)


def test_what_cannot_be_hashed_says_why(tmp_path):
    with pytest.raises(FileNotFoundError) as missing:
        n4w.hash_file(tmp_path / "none")
    assert missing.value.filename == str(tmp_path / "none")
    with pytest.raises(ValueError, match="known are blake3 and sha256"):
        n4w.hash_file(tmp_path, "md5")
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(tmp_path / "socket"))
        with pytest.raises((ValueError, OSError)):
            n4w.hash_file(tmp_path / "socket")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="no regular file"):
        n4w.hash_file(tmp_path / "pipe")
    assert n4w.quick_hash(tmp_path) is None


@pytest.fixture
def restless(tmp_path):
    """Give `restless(change)`: a large file to which a thread does `change` all the time."""
    file = tmp_path / "restless"
    with file.open("wb") as opened:
        opened.truncate(300 << 20)
    threads, stop = [], threading.Event()

    def start(change):
        def work():
            while not stop.is_set():
                change(file)

        threads.append(threading.Thread(target=work))
        threads[-1].start()
        return file

    yield start
    stop.set()
    for thread in threads:
        thread.join()


def rewrite(file):
    with file.open("r+b") as opened:
        opened.seek(100 << 20)
        opened.write(os.urandom(8))


def truncate(file):
    os.truncate(file, 299 << 20)
    os.truncate(file, 300 << 20)


@pytest.mark.parametrize("change", [rewrite, truncate])
@pytest.mark.parametrize("algorithm", ["blake3", "sha256"])
def test_a_file_that_changes_all_the_time_has_no_hash(restless, change, algorithm):
    file = restless(change)
    with pytest.raises(n4w.ConflictError, match="changed while it was read, twice"):
        n4w.hash_file(file, algorithm)


def test_a_long_hash_is_interrupted(tmp_path):
    with (tmp_path / "huge").open("wb") as opened:
        opened.truncate(1 << 42)
    code = "import sys, nirs4all_workspace as n; print('go', flush=True); n.hash_file(sys.argv[1])"
    command = [sys.executable, "-c", code, tmp_path / "huge"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"go\n"
        process.send_signal(signal.SIGINT)
        assert b"KeyboardInterrupt" in process.communicate(timeout=60)[1]
