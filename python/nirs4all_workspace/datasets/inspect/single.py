"""Files that hold spectra and targets side by side."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nirs4all_workspace.datasets.inspect import parquet, rows, spectra, targets, tokens
from nirs4all_workspace.datasets.inspect.spectra import Scale, Spectra
from nirs4all_workspace.datasets.inspect.target_columns import unique

if TYPE_CHECKING:
    from nirs4all_workspace.datasets.inspect.sources import Source
    from nirs4all_workspace.datasets.inspect.targets import Target


@dataclass
class Single:
    """The content of one file.

    Attributes:
        spectra: Its spectra.
        scale: Their wavelengths.
        targets: Its targets; None where undetermined.
    """

    spectra: Spectra
    scale: Scale = field(default_factory=Scale)
    targets: list[Target] | None = None


def read(source: Source, notes: list[str]) -> Single:
    """Read the spectra and targets of one file.

    Args:
        source: The file.
        notes: Receives what was inferred, and what could not be determined.
    """
    settled = source.rows
    rows.settle(settled, None)
    if source.is_parquet:
        names = list(parquet.schema(source.path))
    else:
        notes += [*settled.table.text.notes, *settled.notes]
        names = spectra.header_names(settled)
        if why := spectra.may_stand_upright(settled, names):
            notes.append(why)
            return Single(Spectra())
        names = unique(names, settled.name, notes)
    count = settled.count
    table = settled.table
    if not source.is_parquet and table.text_row is not None:
        notes.append(f"line {table.text_row} of {settled.name} holds texts: a sample, or something else")
        count = None
    if not source.is_parquet and table.repeated is not None and settled.has_header:
        notes.append(f"line {table.repeated} of {settled.name} repeats its first line: samples not counted")
        count = None
    if not names:
        notes.append("its columns have no names: spectra and targets cannot be distinguished")
        return Single(Spectra(count=count))
    waves = tokens.waves(names)
    if not waves:
        notes.append("no column is named after a wavelength: spectra and targets cannot be distinguished")
        return Single(Spectra(count=count))
    found = Single(Spectra(count=count, n_features=len(waves)))
    found.scale = spectra.scale([names[i] for i in waves], source.path.name, source.decimal)
    if (odd := spectra.odd_wave([tokens.wavelength(names[i]) or 0.0 for i in waves])) is not None:
        where = spectra.place(settled, waves[odd], names)
        notes.append(f"{where} may be a wavelength or a target: both are undetermined")
        return Single(Spectra(count=count))
    known = set(waves)
    others = [i for i in range(len(names)) if i not in known and not (i == 0 and table.has_row_names)]
    if not source.is_parquet:
        spectra.say_faults(settled, waves, names, notes)
    if others and settled.has_header and settled.count is not None:
        found.targets = _targets(source, names, others, notes)
    return found


def _targets(source: Source, names: list[str], others: list[int], notes: list[str]) -> list[Target] | None:
    """Return the columns that are targets: decimals, or integers that repeat and do not number samples."""
    if source.is_parquet:
        columns = parquet.read_targets(source.path, [names[i] for i in others])
    else:
        columns = targets.read(source.rows, names, others, notes)
    found, doubtful = [], []
    for column in columns:
        if column.kind == "texts" or not column.rows or (tokens.is_label(column.name) and not column.numbers):
            continue
        if column.kind is None:
            doubtful.append(column)
        elif column.has_decimals:
            found.append(column)
        elif tokens.is_label(column.name):
            continue
        elif column.is_distinct and len(column.classes) == column.numbers:
            doubtful.append(column)
        else:
            found.append(column)
    if doubtful:
        told = ", ".join(repr(column.name) for column in doubtful)
        notes.append(f"{told} may be targets or not: targets are undetermined")
        return None
    texts = [column.name for column in columns if column.kind == "texts" and not tokens.is_label(column.name)]
    if texts:
        notes.append(f"texts, not taken for targets: {', '.join(texts)}")
    if found:
        told = ", ".join(column.name for column in found)
        notes.append(f"taken for targets, because they are numbers that repeat or have decimals: {told}")
    return found
