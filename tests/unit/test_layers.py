"""Files of a workspace are opened and listed in `_io` and on the native side alone; exceptions are listed."""

import ast
from pathlib import Path

import nirs4all_workspace as n4w
import pytest

PACKAGE = Path(n4w.__file__).parent
OPENING = {
    "open",
    "read_bytes",
    "read_text",
    "write_bytes",
    "write_text",
    "ZipFile",
    "scan_parquet",
    "read_parquet",
    "NamedTemporaryFile",
    "scandir",
    "listdir",
    "iterdir",
    "glob",
    "rglob",
    "walk",
    "copy",
    "copy2",
    "copyfile",
    "copytree",
}
MAY = {
    "cli/__init__.py": {"open"},  # the null device, in place of a closed stdout
    "cli/predictions.py": {"glob", "copy"},  # the demo, which is part of the package
    "datasets/inspect/files.py": {"iterdir"},  # files of datasets, as are the next two
    "datasets/inspect/parquet.py": {"scan_parquet"},
    "datasets/inspect/text.py": {"ZipFile", "open"},
    "migration/files.py": {
        "copyfile",
        "iterdir",
        "open",
        "scandir",
    },  # sources, and an unpublished target
    "integrations/nirs4all/models.py": {"ZipFile"},  # of bytes in memory
    "integrations/nirs4all/store_writer.py": {"write_bytes"},  # a store of nirs4all, outside of a workspace
    "migration/migrate.py": {"glob", "iterdir", "read_bytes"},
    "migration/sessions.py": {"glob", "read_text"},
    "stores/source.py": {"copyfile", "glob"},  # sources
    "web/app.py": {"read_bytes"},  # files of the package
    "web/predictions.py": {"open"},  # a temporary file
    "web/serve.py": {"open"},  # a browser
    "predictions/export.py": {"open"},  # a pipe or device outside of a workspace
    "predictions/scan.py": {"scan_parquet"},  # the plan of Polars, which opens them when it is collected
}


def opened(source: str) -> dict[str, int]:
    """Which functions that open or list files a module calls, and in which line."""
    found = {}
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        function = node.func
        name = function.id if isinstance(function, ast.Name) else getattr(function, "attr", None)
        of = getattr(getattr(function, "value", None), "id", None)
        if name in OPENING and of not in ("files", "Workspace", "cls"):
            found[name] = node.lineno
    return found


MODULES = [str(path.relative_to(PACKAGE)) for path in sorted(PACKAGE.rglob("*.py"))]


@pytest.mark.parametrize("module", [name for name in MODULES if not name.startswith("_io/")])
def test_files_are_opened_in_one_folder(module):
    found = opened((PACKAGE / module).read_text())
    assert found.keys() == MAY.get(module, set()), found
