"""`n4w datasets`: tables, strict JSON, exit codes."""

import json
import shutil

import nirs4all_workspace as n4w
import pytest
from commands import n4w as command


@pytest.fixture
def lab(tmp_path, data):
    n4w.Workspace.create(tmp_path / "ws")
    shutil.copytree(data("regression"), tmp_path / "data" / "regression", copy_function=shutil.copyfile)
    (tmp_path / "data" / "regression").chmod(0o755)
    return tmp_path


def run(lab, *arguments, code=0):
    done = command("datasets", *arguments, cwd=lab / "ws")
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout, parse_constant=pytest.fail) if "--json" in arguments else done.stdout


def test_a_dataset_from_registering_to_its_second_version(lab):
    folder = lab / "data" / "regression"
    record = run(lab, "register", folder, "--json")
    assert record["hash"] == n4w.hash_file(folder)
    (listed,) = run(lab, "list", "--json")["datasets"]
    assert listed == record
    assert "regression" in run(lab, "list")
    assert run(lab, "resolve", "regression", "--json")["status"] == "valid"
    moved = folder.rename(lab / "data" / "moved")
    assert "found_by_hash: nothing is at" in run(lab, "resolve", "regression")
    report = run(lab, "link", "--json")
    assert (report["statuses"], report["updated"]) == ({"found_by_hash": 1}, [record["id"]])
    assert run(lab, "list", "--json")["datasets"][0]["current_path"] == str(moved)
    elsewhere = moved.rename(lab / "elsewhere")
    assert "missing" in run(lab, "resolve", "regression", code=1)
    assert run(lab, "relocate", "regression", elsewhere, "--json")["current_path"] == str(elsewhere)
    (elsewhere / "Yval.csv.gz").write_bytes((elsewhere / "Ycal.csv.gz").read_bytes())
    assert run(lab, "resolve", record["id"], "--json", code=1)["status"] == "hash_mismatch"
    assert "version 2" in run(lab, "accept", "regression")
    assert run(lab, "link", "--json")["statuses"] == {"valid": 1}


def test_errors_are_one_line_and_exit_codes_tell(lab):
    def stderr(*arguments, code):
        done = command("datasets", *arguments, cwd=lab / "ws")
        assert done.returncode == code
        return done.stderr

    assert "there is no dataset 'none'" in stderr("resolve", "none", code=1)
    assert "No such file" in stderr("register", "none.csv", code=1)
    assert stderr("resolve", code=2)
    (lab / "ws" / "datasets" / "ds_bad_01234567.yaml").write_text("name: [")
    assert "ds_bad_01234567.yaml: is no YAML in line" in stderr("list", code=1)
