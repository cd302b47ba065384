"""Describing a dataset: samples, features, targets and wavelengths, as far as its files determine them.

Nothing is guessed silently: what is inferred or undetermined is listed in `notes`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nirs4all_workspace.datasets.inspect import files, single, target_columns, targets
from nirs4all_workspace.datasets.inspect import spectra as spectra_of
from nirs4all_workspace.datasets.inspect.sources import Source, open_source, settle_part
from nirs4all_workspace.datasets.inspect.spectra import Scale
from nirs4all_workspace.values import stored

if TYPE_CHECKING:
    from pathlib import Path

    from nirs4all_workspace.datasets.inspect.files import Part
    from nirs4all_workspace.datasets.inspect.spectra import Spectra
    from nirs4all_workspace.datasets.inspect.targets import Target


@dataclass
class Contents:
    """The description of a dataset; a field is None or empty where its files do not determine it.

    Attributes:
        n_samples: Rows of spectra, over all partitions.
        n_features: Columns of spectra, over all sources.
        y_columns: Names of the targets.
        y_stats: min, max, mean and std (ddof = 1) of each numeric target, over finite values.
        task_type: "regression" or "classification".
        wavelength_range: Smallest and largest wavelength, in `wavelength_unit`.
        wavelength_unit: nm, cm-1 or um.
        notes: What was inferred, from what, and what could not be determined.
    """

    n_samples: int | None = None
    n_features: int | None = None
    y_columns: list[str] = field(default_factory=list)
    y_stats: dict[str, dict[str, float | None]] = field(default_factory=dict)
    task_type: str | None = None
    wavelength_range: list[float] | None = None
    wavelength_unit: str | None = None
    notes: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields of a dataset's record."""
        return dict(vars(self))


def describe(path: Path) -> Contents:
    """Describe a dataset: a CSV (compressed or not) or Parquet file, or a folder of them.

    Files of a folder are recognised by the names that nirs4all expects: `Xcal.csv`, `Y_train.csv.gz`,
    `test_x.csv`. Text is read line by line, spectra twice at most.

    Args:
        path: The file or folder.

    Returns:
        The description. A file that cannot be read is a note, not an error.
    """
    contents = Contents()
    if path.is_dir():
        _describe_folder(path, contents)
    elif source := open_source(path, contents.notes, are_spectra=True):
        try:
            found = single.read(source, contents.notes)
        except Exception as error:  # noqa: BLE001 -- Polars has no common error, and a bad file is one note
            contents.notes.append(f"{path.name} could not be read: {str(error).partition(chr(10))[0]}")
        else:
            contents.n_samples, contents.n_features = found.spectra.count, found.spectra.n_features
            _add_scale([[found.scale]], contents)
            _add_targets(found.targets, contents)
    # Notes quote file names and messages of errors, and records hold Unicode only.
    contents.notes = list(dict.fromkeys(map(stored.error_text, contents.notes)))
    return contents


def _describe_folder(folder: Path, contents: Contents) -> None:
    parts, is_whole = files.find(folder, contents.notes)
    if not any(part.x or part.y for part in parts.values()):
        contents.notes.append("no file has a name that nirs4all expects, such as Xcal.csv and Ycal.csv")
        return
    if len(parts.get("cal", files.Part()).x) and len(parts.get("train", files.Part()).x):
        has_both = parts["cal"].y and parts["train"].y
        if not has_both:
            is_whole = False
            contents.notes.append(
                "spectra are called cal and train: nirs4all takes them as two sources of one set"
            )
    if {"val", "test"} <= {name for name, part in parts.items() if part.x}:
        contents.notes.append("spectra are called val and test: nirs4all 1.x takes only one of them")
    opened = _open_parts(parts, contents.notes)
    spectra: list[list[Spectra | None]] = []
    found: list[list[Target] | None] = []
    scales: list[list[Scale]] = []
    for x, y, has_targets in opened:
        part = settle_part(x, y, contents.notes)
        spectra.append(part)
        pairs = zip(x, part, strict=True)
        scales.append([_scale(source, one) if source and one else Scale() for source, one in pairs])
        if has_targets:
            found.append(_read_targets(y, contents))
    _count(spectra, contents, is_whole=is_whole)
    if is_whole:
        _add_scale(scales, contents)
    if found and is_whole:
        _add_targets(_merged(found, contents.notes), contents)


def _open_parts(
    parts: dict[str, Part], notes: list[str]
) -> list[tuple[list[Source | None], Source | None, bool]]:
    """Open the files of all partitions; the decimal mark of spectra helps to read the files beside them."""
    spectra = {path: open_source(path, [], are_spectra=True) for part in parts.values() for path in part.x}
    marks = {mark for source in spectra.values() if source and (mark := source.sure_decimal)}
    hint = marks.pop() if len(marks) == 1 else None
    texts = [source for source in spectra.values() if source and not source.is_parquet]
    firsts = [tuple(source.rows.table.first) for source in texts]
    # A decimal point there excludes decimal commas only where commas separate the fields there too.
    divides = {source.rows.table.dialect.separator for source in texts}
    of_targets = None if hint == "." and divides != {","} else hint
    opened = []
    for part in parts.values():
        x = []
        for path in part.x:
            source = spectra[path] if hint is None and spectra[path] else None
            source = source or open_source(path, notes, are_spectra=True, hint=hint)
            if source and not source.is_parquet and firsts.count(tuple(source.rows.table.first)) > 1:
                source.is_repeated = True
            x.append(source)
        if len(part.y) > 1:
            notes.append(f"nirs4all takes one file of targets, not {', '.join(y.name for y in part.y)}")
        y = None
        if len(part.y) == 1:
            y = open_source(part.y[0], notes, are_spectra=False, hint=of_targets)
        opened.append((x, y, bool(part.y)))
    return opened


def _scale(source: Source, found: Spectra) -> Scale:
    return spectra_of.scale(found.names, source.path.name, source.decimal)


def _count(parts: list[list[Spectra | None]], contents: Contents, *, is_whole: bool) -> None:
    """Add the samples of partitions and the features of sources."""
    counts: list[int | None] = []
    features: list[int | None] = []
    for part in parts:
        of_sources = [source.count if source else None for source in part]
        if len(set(of_sources)) > 1 and None not in of_sources:
            contents.notes.append(f"sources of one set have {', '.join(map(str, of_sources))} rows")
        counts.append(of_sources[0] if len(set(of_sources)) == 1 else None)
        widths = [source.n_features if source else None for source in part]
        features.append(sum(width for width in widths if width) if widths and None not in widths else None)
    if not all(parts):
        contents.notes.append("there are targets without spectra beside them: samples are not counted")
    known = [width for width, part in zip(features, parts, strict=True) if part]
    if len(set(known)) > 1 and None not in known:
        names = " and ".join(map(str, known))
        contents.notes.append(f"partitions have {names} columns of numbers")
    if is_whole and len(set(known)) == 1:
        contents.n_features = known[0]
    differ = len(set(known) - {None}) > 1
    numbers = [count for count in counts if count is not None]
    if is_whole and len(numbers) == len(counts) and not differ:
        contents.n_samples = sum(numbers)


def _add_scale(parts: list[list[Scale]], contents: Contents) -> None:
    """Add the wavelengths, where all partitions and sources agree."""
    named = [part for part in parts if any(scale.range for scale in part)]
    for part in named[:1] or parts[:1]:
        for scale in part:
            contents.notes += scale.notes
    if not named:
        return
    scales = [scale for part in named for scale in part]
    ranges = {tuple(scale.range) if scale.range else None for scale in scales}
    units = {scale.unit for scale in scales}
    if len(ranges) == 1 and None not in ranges:
        contents.wavelength_range = scales[0].range
    else:
        told = ", ".join(f"{r[0]:g} to {r[1]:g}" if r else "unknown" for r in sorted(ranges, key=str))
        contents.notes.append(f"sources or partitions have several ranges of wavelengths: {told}")
        return
    if len(units) == 1:
        contents.wavelength_unit = scales[0].unit


def _read_targets(source: Source | None, contents: Contents) -> list[Target] | None:
    if source is None:
        return None
    try:
        if source.is_parquet:
            return source.read_targets()
        found = target_columns.read(source.rows, contents.notes)
        if found is None and source.rows.has_header is None and target_columns.are_classes(source.rows):
            contents.task_type = "classification"
        return found
    except Exception as error:  # noqa: BLE001 -- as in `describe`
        contents.notes.append(f"{source.path.name} could not be read: {str(error).partition(chr(10))[0]}")
        return None


def _merged(parts: list[list[Target] | None], notes: list[str]) -> list[Target] | None:
    """Return the targets of all partitions, merged by name."""
    first = parts[0]
    if first is None or any(part is None for part in parts):
        return None
    for part in parts[1:]:
        if part is None or [target.name for target in part] != [target.name for target in first]:
            notes.append("targets of partitions have different names: targets are undetermined")
            return None
        for target, other in zip(first, part, strict=True):
            target.merge(other)
    return first


def _add_targets(found: list[Target] | None, contents: Contents) -> None:
    if not found:
        return
    contents.y_columns = [target.name for target in found]
    contents.y_stats = {target.name: target.stats() for target in found if target.kind == "numbers"}
    for target in found:
        target.say_faults(contents.notes)
    contents.task_type = targets.task_type(found, contents.notes)
