"""Cut the sample workspaces that lie beside the checkout to the zips in `samples/`: run it by hand.

    python tests/compat/make_samples.py [../shared/workspaces]

Left out are the arrays, what no test reads of a run, and most binaries; the prediction files of
`nirs4all-0.6.2` are those of the demo, which come with the package.
"""

import hashlib
import sys
import zipfile
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
DEMO = REPO / "python" / "nirs4all_workspace" / "demo"
SAMPLES = Path(__file__).parent / "samples"
NAMES = ("nirs4all-0.6.2", "nirs4all-2026-01")
BINARIES = 4


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def kept(root: Path) -> list[Path]:
    """The files of a workspace that its zip holds."""
    ours = {digest(path) for path in DEMO.glob("*.parquet")}
    files = [path for path in sorted(root.rglob("*")) if path.is_file()]
    left = [path for path in files if path.name in ("manifest.yaml", "pipeline.json", "workspace.json")]
    left += [path for path in files if path.name.endswith(".meta.parquet") and digest(path) not in ours]
    return left + sorted(root.glob("binaries/*/*"), key=lambda path: path.stat().st_size)[:BINARIES]


def main(shared: Path) -> None:
    for name in NAMES:
        root = shared / name
        with zipfile.ZipFile(SAMPLES / f"{name}.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as made:
            for path in kept(root):
                # Without times and modes, so that it is the same file whenever it is made.
                member = zipfile.ZipInfo(path.relative_to(root).as_posix())
                member.compress_type = zipfile.ZIP_DEFLATED
                made.writestr(member, path.read_bytes(), compresslevel=9)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else REPO.parent / "shared" / "workspaces")
