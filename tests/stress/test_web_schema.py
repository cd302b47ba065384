"""The API is what docs/openapi.json says: schemathesis asks every operation, rightly and wrongly.

`N4W_SCHEMA_EXAMPLES=200 pytest tests/stress/test_web_schema.py` is its long form.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="FastAPI is missing: pip install nirs4all-workspace[web]")
pytest.importorskip("schemathesis", reason="schemathesis is missing: pip install schemathesis")

HERE = Path(__file__).parents[1]
EXAMPLES = os.environ.get("N4W_SCHEMA_EXAMPLES")


@pytest.mark.timeout(7_200)
@pytest.mark.parametrize("mode", [[], ["--write"]], ids=["read-only", "write"])
def test_every_operation_answers_as_it_is_described(tmp_path, mode):
    """All checks and phases; what schemathesis.toml leaves out for an operation, it gives a reason for.

    The short form covers each operation as it is described, of a server that may write.
    """
    if EXAMPLES is None and not mode:
        pytest.skip("N4W_SCHEMA_EXAMPLES is not set")
    command = [sys.executable, HERE / "serve_sample.py", tmp_path / "w", *mode]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        try:
            address, token = re.search(r"(http://\S+)/#token=(\S+)", server.stderr.readline()).groups()
            program = shutil.which("schemathesis", path=str(Path(sys.executable).parent))
            asked = [program, "--config-file", HERE.parent / "schemathesis.toml", "run"]
            asked += [f"{address}/api/v1/openapi.json", "--max-examples", EXAMPLES or "1", "--no-color"]
            asked += [
                "--phases",
                "examples,coverage" if EXAMPLES is None else "examples,coverage,fuzzing,stateful",
            ]
            asked += ["-H", f"Authorization: Bearer {token}", "-H", f"Origin: {address}"]
            found = subprocess.run(asked, capture_output=True, text=True, cwd=tmp_path, check=False)
        finally:
            server.terminate()
    assert found.returncode == 0, found.stdout[-6_000:]
    selected, tested = re.search(r"Selected: (\d+)/\d+\s+Tested: (\d+)", found.stdout).groups()
    assert selected == tested
    assert int(tested) >= 46
