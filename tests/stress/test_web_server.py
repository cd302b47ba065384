"""`n4w serve` as a process: it prints where it is, and ends at once with clients connected."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="FastAPI is missing: pip install nirs4all-workspace[web]")
pytest.importorskip("httpx2", reason="httpx2 is missing: pip install httpx2")

import serving


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return serving.make(tmp_path_factory.mktemp("served") / "w").path


class Server:
    """A process that serves; `address` and `token` are what it printed."""

    def __init__(self, *arguments):
        command = [
            sys.executable,
            "-m",
            "nirs4all_workspace.cli",
            "serve",
            *map(str, arguments),
            "--no-browser",
        ]
        # Whoever runs the tests in the background may have SIGINT ignored.
        self.process = subprocess.Popen(
            command,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        self.said = self.process.stderr.readline()
        found = re.search(r"(http://\S+)/#token=(\S+)", self.said)
        self.address, self.token = found.groups() if found else (None, self.said.rpartition(" ")[2].strip())

    def get(self, path, seconds=20):
        request = urllib.request.Request(
            f"{self.address}/api/v1{path}", headers={"Authorization": f"Bearer {self.token}"}
        )
        return urllib.request.urlopen(request, timeout=seconds)

    def stop(self, number=signal.SIGINT):
        self.process.send_signal(number)
        _, err = self.process.communicate(timeout=20)
        return err

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_with_clients_connected(folder, number):
    with Server(folder, "--port", "0") as server:
        (entry,) = json.load(server.get("/workspaces"))["workspaces"]
        streams = [server.get(f"/workspaces/{entry['id']}/events") for _ in range(5)]
        assert server.stop(number) == ""
        for stream in streams:
            stream.close()


def test_a_socket_instead_of_a_port(folder, tmp_path):
    path = tmp_path / "n4w.sock"
    with Server(folder, "--uds", path) as server:
        until = time.monotonic() + 20
        while not path.exists():
            assert time.monotonic() < until
            time.sleep(0.05)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            head = ("GET /api/v1/workspaces HTTP/1.1", "Host: localhost", "Connection: close")
            lines = [*head, f"Authorization: Bearer {server.token}", "", ""]
            client.sendall("\r\n".join(lines).encode())
            answer = b""
            while piece := client.recv(65_536):
                answer += piece
        assert answer.startswith(b"HTTP/1.1 200")


def test_a_port_that_is_taken(folder):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "nirs4all_workspace.cli", "serve", str(folder), "--port", str(port)]
        ended = subprocess.run(
            [*command, "--no-browser"], capture_output=True, text=True, timeout=60, check=False
        )
    assert ended.returncode == 1
    assert "--port" in ended.stderr


def test_many_clients_get_answers_and_no_error(folder):
    """A short form of the bench: 30 clients ask for 3 seconds; none sees a fault of the server."""
    with Server(folder, "--port", "0") as server:
        (entry,) = json.load(server.get("/workspaces"))["workspaces"]
        paths = ("/predictions/data?limit=5", "/results", "/runs", "/predictions/summary")
        wrong, done = [], []

        def ask(first):
            until = time.monotonic() + 3
            number = first
            while time.monotonic() < until:
                number += 1
                try:
                    answer = server.get(f"/workspaces/{entry['id']}{paths[number % 4]}")
                    done.append(len(answer.read()))
                except OSError as error:
                    wrong.append(error)

        clients = [threading.Thread(target=ask, args=(number,)) for number in range(30)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        assert wrong == []
        assert len(done) >= 30
        assert server.stop() == ""


def test_the_files_of_the_page_come_with_the_package(folder):
    with Server(folder, "--port", "0") as server:
        page = urllib.request.urlopen(f"{server.address}/", timeout=20).read().decode()
        script = urllib.request.urlopen(f"{server.address}/start.js", timeout=20).read().decode()
    assert "start.js" in page
    assert re.search(r"<script>|onclick|style=", page) is None
    assert "innerHTML" not in script
    assert Path(os.fspath(folder)).exists()
