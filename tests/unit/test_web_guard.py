"""A server on a machine with other people: token, host, origin, size, and what answers carry."""

import pytest

pytest.importorskip("fastapi", reason="FastAPI is missing: pip install nirs4all-workspace[web]")
pytest.importorskip("httpx2", reason="httpx2 is missing: pip install httpx2")

import commands
import serving
from nirs4all_workspace.web import create_app
from nirs4all_workspace.web.app import SESSION
from starlette.testclient import TestClient

JSON = {"Content-Type": "application/json", "Origin": serving.BASE}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return serving.make(tmp_path_factory.mktemp("guard") / "w").path


@pytest.fixture
def app(folder):
    return create_app([folder], port=8765)


@pytest.fixture
def stranger(app):
    return TestClient(app, base_url=serving.BASE)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer "},
        {"Authorization": "Basic dDp0"},
        {"Cookie": "n4w-8765=wrong"},
        {"Cookie": 'n4w-8765="'},
        {"Authorization": "Bearer \xe9"},
    ],
)
def test_without_a_token_nothing_is_told(app, stranger, headers):
    raw = {name: value.encode("latin-1") for name, value in headers.items()}
    for path in ("/api/v1/workspaces", "/api/v1/openapi.json", serving.place(app) + "/runs", "/nothing"):
        answer = stranger.get(path, headers=raw)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.headers["content-type"] == "application/problem+json"
        assert "first" not in answer.text


def test_the_token_is_exchanged_for_a_cookie(app, stranger):
    assert stranger.post(SESSION, json={"token": "wrong"}, headers=JSON).status_code == 401
    answer = stranger.post(SESSION, json={"token": app.state.token}, headers=JSON)
    assert answer.status_code == 204
    said = answer.headers["set-cookie"]
    assert said.startswith("n4w-8765=")
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= {part.strip() for part in said.split(";")}
    assert app.state.token not in said
    assert stranger.get("/api/v1/workspaces").status_code == 200
    stranger.cookies.clear()
    assert stranger.get("/api/v1/workspaces").status_code == 401


def test_a_cookie_of_another_port_is_none(folder, app):
    other = create_app([folder], port=9)
    guest = TestClient(other, base_url=serving.BASE)
    guest.post(SESSION, json={"token": other.state.token}, headers=JSON)
    session = guest.cookies["n4w-9"]
    stranger = TestClient(app, base_url=serving.BASE, cookies={"n4w-8765": session, "n4w-9": session})
    assert stranger.get("/api/v1/workspaces").status_code == 401


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io:8765", "", "[::2]:1"]
)
def test_names_that_lead_here_by_rebinding_are_refused(app, host):
    answer = serving.client(app).get("/api/v1/workspaces", headers={"Host": host})
    assert answer.status_code == 403


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:8888", "[::1]:8765", "[::1]"])
def test_loopback_is_reached_through_any_port(app, host):
    """An ssh tunnel has a port of its own."""
    assert serving.client(app).get("/api/v1/workspaces", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "origin", [None, "null", "http://localhost:3000", "http://evil.example", "localhost", ""]
)
@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE", "PUT"])
def test_what_changes_something_comes_from_the_page_of_the_server(folder, origin, method):
    app = create_app([folder], write=True)
    before = serving.files_of(folder)
    headers = {"Authorization": f"Bearer {app.state.token}", "Content-Type": "application/json"}
    if origin is not None:
        headers["Origin"] = origin
    guest = TestClient(app, base_url=serving.BASE)
    for path in ("/runs", "/runs/first", "/runs/first/cancel", "/templates", "/datasets/link"):
        answer = guest.request(method, serving.place(app) + path, content="{}", headers=headers)
        assert answer.status_code == 403, path
    assert serving.files_of(folder) == before


@pytest.mark.parametrize(
    "kind", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]
)
def test_bodies_that_a_form_can_send_are_refused(folder, kind):
    app = create_app([folder], write=True)
    headers = {} if kind is None else {"Content-Type": kind}
    answer = serving.client(app).post(f"{serving.place(app)}/runs", content=b'{"name": "x"}', headers=headers)
    assert answer.status_code == 415


def test_large_bodies_are_refused_also_in_pieces(folder):
    app = create_app([folder], write=True)
    steps = b'{"steps": ["' + b"a" * 1_000_001 + b'"]}'

    def pieces():
        for start in range(0, len(steps), 50_000):
            yield steps[start : start + 50_000]

    for content in (steps, pieces()):
        answer = serving.client(app).post(
            f"{serving.place(app)}/templates", content=content, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 413


def test_every_answer_has_the_headers(app, stranger):
    paths = ("/", "/start.js", "/nothing", "/api/v1/workspaces", serving.place(app) + "/runs/none")
    for guest in (stranger, serving.client(app)):
        for path in paths:
            headers = guest.get(path).headers
            policy = headers["content-security-policy"]
            assert "default-src 'self'" in policy
            assert "frame-ancestors 'none'" in policy
            assert "unsafe-inline" not in policy
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["cross-origin-resource-policy"] == "same-origin"
            assert headers["referrer-policy"] == "no-referrer"
            assert headers["cache-control"].startswith("private")
            assert "access-control-allow-origin" not in headers


def test_a_server_that_only_reads_writes_nothing(app, folder):
    before = serving.files_of(folder)
    guest, at = serving.client(app), serving.place(app)
    for method, path, body in (
        ("POST", "/runs", {"name": "n", "templates": [["SNV"]], "datasets": ["wheat"]}),
        ("PATCH", "/runs/first", {"notes": "n"}),
        ("DELETE", "/runs/first", {}),
        ("POST", "/runs/waits/cancel", {}),
        ("POST", "/runs/waits/pause", {}),
        ("POST", "/runs/first/retry", {}),
        ("POST", "/runs/first/resume", {}),
        ("POST", "/templates", {"steps": ["SNV"]}),
        ("POST", "/datasets/link", {}),
        ("POST", "/datasets/wheat/relocate", {"path": "/"}),
        ("POST", "/datasets/wheat/accept", {}),
    ):
        answer = guest.request(method, at + path, json=body)
        assert (answer.status_code, "--write" in answer.json()["detail"]) == (403, True), path
    assert serving.files_of(folder) == before


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::"])
def test_without_a_token_only_loopback_is_served(folder, host):
    code, _, err = commands.n4w("serve", folder, "--no-token", "--host", host, "--port", "0", "--no-browser")
    assert code == 2
    assert "--no-token" in err


def test_without_a_token_where_none_is_wanted(folder):
    app = create_app([folder], has_token=False)
    guest = TestClient(app, base_url=serving.BASE)
    assert guest.get("/api/v1/workspaces").status_code == 200
    assert guest.get("/api/v1/workspaces", headers={"Host": "evil.example"}).status_code == 403
    assert guest.post(f"{serving.place(app)}/templates", json={"steps": []}).status_code == 403
