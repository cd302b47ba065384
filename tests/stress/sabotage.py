"""Break the package on purpose, one promise at a time, and demand that a test notices.

    python tests/stress/sabotage.py [name ...]

Each sabotage is one textual patch to a copy of the tree, which gets a build of its own; dependencies are
not compiled again. It fails where a patch no longer applies, where the patched tree does not build, and
where the test that is meant to notice passes.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

REPO = Path(__file__).resolve().parents[2]


class Sabotage(NamedTuple):
    """A patch, and the test that must fail on it."""

    file: str
    right: str
    wrong: str
    test: str


SABOTAGES = {
    "drop the sync of a flush": Sabotage(
        "rust/core/src/writer.rs",
        "open.appender.file.sync_data().map_err(|error| Error::io(path, error))?;",
        "let _ = path;",
        "stress/test_failing_writes.py::test_a_flush_returns_after_the_sync_of_its_journal",
    ),
    "drop the sync of the folders": Sabotage(
        "rust/core/src/writer.rs",
        "platform::sync_folder(folder).map_err(|error| Error::io(folder, error))?;",
        "let _ = folder;",
        "stress/test_failing_writes.py::test_a_flush_returns_after_the_sync_of_its_journal",
    ),
    "skip the checksum of payloads": Sabotage(
        "rust/core/src/journal.rs",
        "if sum.to_le_bytes() != *stored {",
        "if sum.to_le_bytes() != *stored && false {",
        "stress/test_damaged_journals.py::test_every_flipped_bit_is_found",
    ),
    "skip the checksum of the header": Sabotage(
        "rust/core/src/journal.rs",
        "if XxHash3_64::oneshot(content).to_le_bytes() != *checksum {",
        "if XxHash3_64::oneshot(content).to_le_bytes() != *checksum && false {",
        "stress/test_damaged_journals.py::test_every_flipped_bit_is_found",
    ),
    "skip the fence": Sabotage(
        "rust/core/src/journal.rs",
        "let reason = if fence_path(&self.path).exists() {",
        "let reason = if false {",
        "stress/test_declared_dead.py::test_a_writer_that_was_declared_dead_cannot_go_on",
    ),
    "unlink the journal before its segment is there": Sabotage(
        "rust/core/src/seal.rs",
        "    rows.publish(&[(JOURNAL_KEY, sealed.to_value().to_json())], summary)?;",
        "    remove_if_there(path)?;\n"
        "    rows.publish(&[(JOURNAL_KEY, sealed.to_value().to_json())], summary)?;",
        "stress/test_failing_writes.py::test_a_segment_is_there_before_its_journal_goes",
    ),
    "drop the sync of a name": Sabotage(
        "rust/core/src/atomic.rs",
        "    platform::sync_folder(folder).map_err(|error| Error::io(folder, error))",
        "    let _ = folder;\n    Ok(())",
        "stress/test_failing_writes.py::test_a_segment_is_there_before_its_journal_goes",
    ),
    "believe that a segment covers its journal": Sabotage(
        "rust/core/src/segments.rs",
        "Ok(Some(sealed)) => sealed.covers(&journal).map(Some),",
        "Ok(Some(_)) => Ok(Some(true)),",
        "stress/test_copies.py::test_a_live_workspace_copied_twice_and_recovered_in_between",
    ),
    "forget where a successor cuts its predecessor": Sabotage(
        "rust/core/src/journal.rs",
        "let limit = cut.map_or(size, |cut| cut.min(size));",
        "let limit = size;",
        "stress/test_failing_writes.py::test_a_frame_that_cannot_be_cut_off_is_not_counted_twice",
    ),
    "miss a segment that was sealed after the listing": Sabotage(
        "rust/core/src/segments.rs",
        "if !listed.contains(&sealed) && folder.join(&sealed).exists() {",
        "if false && folder.join(&sealed).exists() {",
        "stress/test_many_writers.py::test_a_journal_that_is_sealed_just_after_it_was_listed",
    ),
    "believe the catalogue whatever a stat says": Sabotage(
        "rust/core/src/catalogue/mod.rs",
        "self.stamps == stamps && self.is_settled()",
        "!stamps.is_empty() && self.is_settled()",
        "unit/test_catalogue.py::test_what_changed_is_read_again",
    ),
    "rule out a row group that ends where the filter begins": Sabotage(
        "rust/core/src/query/filter.rs",
        "(low > *range.end() || high < *range.start()).then_some(false)",
        "(low > *range.end() || high <= *range.start()).then_some(false)",
        "unit/test_pages.py::test_bounds_are_part_of_what_is_asked_for",
    ),
    "order what follows a cursor without its row": Sabotage(
        "rust/core/src/query/cursor.rs",
        '"id" => &self.tie.id,',
        '"id" => &None,',
        "unit/test_pages.py::test_a_cursor_outlives_its_row_and_its_file",
    ),
}


def run(tree: Path, *command: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        command, cwd=tree, env=os.environ | environment, capture_output=True, text=True, check=False
    )


def copy_tree(tree: Path) -> None:
    """The files that git knows."""
    names = subprocess.run(["git", "ls-files"], cwd=REPO, capture_output=True, text=True, check=True).stdout
    for name in names.splitlines():
        target = tree / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (REPO / name).exists():
            shutil.copy2(REPO / name, target)


def share_dependencies(target: Path) -> None:
    """What the last build of this tree compiled, by hard links, so that only the copy is compiled."""
    for name in ("deps", "build", ".fingerprint"):
        source = REPO / "target" / "debug" / name
        if source.is_dir():
            link = os.link if source.stat().st_dev == target.parent.stat().st_dev else shutil.copy2
            ignore = shutil.ignore_patterns("*n4w*", "*_native*")
            shutil.copytree(source, target / "debug" / name, copy_function=link, ignore=ignore)


def build(tree: Path, target: Path) -> None:
    """Build the module and lay it beside the Python sources of the copy."""
    done = run(
        tree,
        "cargo",
        "build",
        "--locked",
        "--quiet",
        "-p",
        "n4w-py",
        "--features",
        "pyo3/extension-module",
        CARGO_TARGET_DIR=str(target),
        PYO3_PYTHON=sys.executable,
        RUSTFLAGS=os.environ.get("RUSTFLAGS", ""),
    )
    if done.returncode:
        sys.exit(f"the patched tree does not build:\n{done.stderr[-3_000:]}")
    library = target / "debug" / "lib_native.so"
    shutil.copy2(library, tree / "python" / "nirs4all_workspace" / "_native.abi3.so")


def test(tree: Path, name: str) -> bool:
    """Whether a test passes on the package in the copy, and not on the one that is installed."""
    path = str(tree / "python")
    where = "import nirs4all_workspace as n, sys; sys.exit(not n.__file__.startswith(sys.argv[1]))"
    if run(tree, sys.executable, "-c", where, str(tree), PYTHONPATH=path).returncode:
        sys.exit("the tests would use another copy of the package")
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", f"tests/{name}"]
    done = run(tree, *command, PYTHONPATH=path)
    if done.returncode not in (0, 1):
        sys.exit(f"{name} was neither passed nor failed:\n{done.stdout[-3_000:]}")
    return done.returncode == 0


def main(names: list[str]) -> int:
    chosen = {name: SABOTAGES[name] for name in names or SABOTAGES}
    unnoticed = []
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        target = Path(folder) / "target"
        copy_tree(tree)
        share_dependencies(target)
        build(tree, target)
        for name in sorted({sabotage.test for sabotage in chosen.values()}):
            if not test(tree, name):
                sys.exit(f"{name} fails on the package as it is")
        for name, sabotage in chosen.items():
            file = tree / sabotage.file
            content = file.read_text()
            if content.count(sabotage.right) != 1:
                sys.exit(f"{name}: the patch no longer applies to {sabotage.file}")
            file.write_text(content.replace(sabotage.right, sabotage.wrong))
            build(tree, target)
            is_noticed = not test(tree, sabotage.test)
            file.write_text(content)
            print(f"{'noticed' if is_noticed else 'NOT NOTICED'}: {name} ({sabotage.test})", flush=True)
            unnoticed += [] if is_noticed else [name]
    return len(unnoticed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
