"""Text files as lines: compressed or not, in the encoding detected from their bytes, with any line ends."""

from __future__ import annotations

import codecs
import gzip
import io
import re
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CHUNK = 1 << 20
# A line of 16 Mi characters is not a row of a table: a million fields would fit.
LONGEST_LINE = 16 << 20
_CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1f\x7f]")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class Undecided(ValueError):  # noqa: N818 -- not an error: a question that only the user can answer
    """A file has two readings that fit, or none."""


@dataclass
class Text:
    """A text file.

    Attributes:
        path: The file.
        encoding: The encoding of its bytes.
        member: The name of its member in a ZIP archive; None outside of archives.
        notes: What was inferred from its bytes.
    """

    path: Path
    encoding: str = "utf-8"
    member: str | None = None
    notes: list[str] = field(default_factory=list)

    @contextmanager
    def bytes(self) -> Iterator[IO[bytes]]:
        """Open the decompressed content of the file."""
        suffix = self.path.suffix.lower()
        if suffix == ".gz":
            with gzip.open(self.path) as unpacked:
                yield cast("IO[bytes]", unpacked)
        elif self.member is not None:
            with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as opened:
                yield opened
        else:
            with self.path.open("rb") as opened:
                yield opened

    def lines(self) -> Iterator[str]:
        r"""Yield the lines, each ending with \n, whatever ends it in the file.

        Raises:
            Undecided: A line is too long to be a row.
        """
        with self.bytes() as opened, io.TextIOWrapper(opened, self.encoding) as text:
            number = 0
            while line := text.readline(LONGEST_LINE):
                number += 1
                if len(line) == LONGEST_LINE:
                    raise Undecided(f"line {number} has more than {LONGEST_LINE} characters")
                yield line


def open_text(path: Path) -> Text:
    """Read the bytes of a file once, a chunk at a time, and detect its encoding.

    Args:
        path: A text file, or a text file in a `.gz` or `.zip`.

    Raises:
        Undecided: The file is not text, or an archive without text.
        OSError: The file cannot be read.
    """
    text = Text(path)
    if path.suffix.lower() == ".zip":
        text.member = _member(path, text.notes)
    with text.bytes() as opened:
        first = opened.read(_CHUNK)
        text.encoding = _likely(first)
        decoder = codecs.getincrementaldecoder(text.encoding)()
        chunk, in_utf8, is_table, high = first, True, False, set[int]()
        while chunk:
            if text.encoding.startswith("utf-8"):
                if control := _CONTROLS.search(chunk):
                    raise Undecided(f"it is not text: it has a byte {chunk[control.start()]:#04x}")
                if not chunk.isascii():
                    high.update(byte for byte in set(chunk) if byte >= 0x80)
            if in_utf8:
                try:
                    decoder.decode(chunk)
                except UnicodeDecodeError as error:
                    if not text.encoding.startswith("utf-8"):
                        raise Undecided(f"it is not {text.encoding.upper()} text: {error.reason}") from error
                    in_utf8 = False
            is_table = is_table or bool(chunk.strip())
            chunk = opened.read(_CHUNK)
    if not is_table:
        raise Undecided("it is empty")
    _name_encoding(text, in_utf8=in_utf8 and _ends(decoder), high=high)
    return text


def _ends(decoder: codecs.IncrementalDecoder) -> bool:
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _likely(first: bytes) -> str:
    for bom, encoding in _BOMS:
        if first.startswith(bom):
            return encoding
    sample = first[:4096]
    half = len(sample) // 2
    if half and sample[1::2].count(0) > 0.8 * half and not sample[::2].count(0):
        return "utf-16-le"
    if half and sample[::2].count(0) > 0.8 * half and not sample[1::2].count(0):
        return "utf-16-be"
    return "utf-8"


def _name_encoding(text: Text, *, in_utf8: bool, high: set[int]) -> None:
    name = text.path.name
    if text.encoding.startswith(("utf-16", "utf-32")):
        text.notes.append(f"{name} is {text.encoding[:6].upper()}, which nirs4all reads only if configured")
        if not in_utf8:
            raise Undecided(f"it is not {text.encoding.upper()} text: it ends within a character")
    elif not in_utf8:
        # As nirs4all does; Windows uses codes that Latin-1 leaves to control characters.
        text.encoding = "cp1252" if high & set(range(0x80, 0xA0)) else "latin-1"
        if text.encoding == "cp1252" and high & {0x81, 0x8D, 0x8F, 0x90, 0x9D}:
            raise Undecided("it is not text: neither UTF-8 nor Latin-1")
        text.notes.append(f"{name} is not UTF-8, and is read as {text.encoding.capitalize()}")


def _member(path: Path, notes: list[str]) -> str:
    """Return the name of the text in a ZIP archive: nirs4all takes the first member that is a CSV."""
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
    tables = [name for name in names if name.lower().endswith(".csv")] or names
    if not tables:
        raise Undecided("it is an archive without files")
    if len(tables) > 1:
        notes.append(f"of the {len(tables)} files in {path.name}, the first was read: {tables[0]}")
    return tables[0]
