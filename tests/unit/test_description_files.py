"""Which files make a dataset, and the forms and encodings that they come in."""

import gzip
import io
import math
import zipfile

import nirs4all_workspace as n4w
import numpy as np
import polars as pl
import pytest
from describing import HEADER, PROTEIN, ROWS, WAVELENGTHS, XCAL, YCAL, X, make_told, noted, one_file, targets
from nirs4all_workspace.datasets.inspect.describe import describe


@pytest.fixture
def told(tmp_path_factory):
    return make_told(tmp_path_factory)


def zipped(**members):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as opened:
        for name, content in members.items():
            opened.writestr(f"{name}.csv", content)
    return archive.getvalue()


def test_several_sources(told):
    other = "\n".join(["4000;4004;4008", *(";".join(row.split(";")[:3]) for row in ROWS)])
    found = told({"Xcal_1.csv": XCAL, "Xcal_2.csv": XCAL, "Ycal.csv": YCAL})
    assert (found.n_samples, found.n_features, found.wavelength_range) == (6, 12, [1100, 1110])
    found = told({"Xcal_NIR.csv": XCAL, "Xcal_MIR.csv": other, "Ycal.csv": YCAL})
    assert (found.n_samples, found.n_features, found.wavelength_range) == (6, 9, None)
    assert noted(found, "1100 to 1110", "4000 to 4008")


def test_sources_of_different_lengths_are_not_counted(told):
    found = told({"Xcal_1.csv": XCAL, "Xcal_2.csv": "\n".join([HEADER, *ROWS[:4]]), "Ycal.csv": YCAL})
    assert found.n_samples is None
    assert noted(found, "6", "4")


def test_an_unread_source_leaves_nothing_told(told):
    found = told({"Xcal_1.csv": XCAL, "Xcal_2.csv": "a;b\n1\n", "Ycal.csv": YCAL})
    assert (found.n_samples, found.n_features, found.wavelength_range) == (None, None, None)
    assert noted(found, "Xcal_2.csv", "line 2")


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ("X_train.csv", "y_train.csv"),
        ("calX.csv", "Cal_Y.csv"),
        ("wheat_Xcal.v2.csv", "wheat Ycal.csv"),
        ("X.csv", "Y.csv"),
        ("xVAL.csv", "YVAL.csv"),
    ],
)
def test_names_that_nirs4all_takes(told, x, y):
    found = told({x: XCAL, y: YCAL, "readme.txt": "hello", "Mcal.csv": "a;b\n1;2\n", "notes.csv": "x"})
    assert (found.n_samples, found.y_columns, found.wavelength_range) == (6, ["protein"], [1100, 1110])


def test_x_and_y_are_for_training_beside_a_test_set(told):
    found = told({"X.csv": XCAL, "Y.csv": YCAL, "Xtest.csv": XCAL, "Ytest.csv": YCAL})
    assert (found.n_samples, found.n_features) == (12, 6)


@pytest.mark.parametrize("name", ["Xcal2.csv", "Xcalibration.csv.gz"])
def test_names_that_only_nirs4all_0_6_takes(told, name):
    content = gzip.compress(XCAL.encode()) if name.endswith(".gz") else XCAL
    found = told({name: content, "Ycal.csv": YCAL})
    assert (found.n_samples, found.n_features) == (None, None)
    assert noted(found, name, "0.6")


def test_of_two_forms_of_a_file_the_note_says_which_was_read(told):
    other = "\n".join([HEADER, *ROWS[:3]])
    found = told({"Xcal.csv": XCAL, "Xcal.csv.gz": gzip.compress(other.encode()), "Ycal.csv": YCAL})
    assert (found.n_samples, found.n_features) == (6, 6)
    assert noted(found, "Xcal.csv was read", "Xcal.csv.gz")


@pytest.mark.parametrize(
    "name", ["Xcal.tar.gz", "Xcal.npy", "Xcal.xlsx", "Xcal.csv.bz2", "Xcal.mat", "Xcal.csv.xz"]
)
def test_forms_that_are_not_read_are_said(told, name):
    found = told({name: b"\x00\x01\x02", "Ycal.csv": YCAL})
    assert (found.n_samples, found.n_features) == (None, None)
    assert noted(found, name, "not read")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n\n",
        b"\r\r",
        bytes(range(256)) * 9,
        gzip.compress(XCAL.encode(), mtime=0),
        b'"1;2\n' * 9,
        b"PK\x03\x04",
    ],
)
def test_what_is_no_table_is_a_note(told, content):
    found = told({"Xcal.csv": content, "Ycal.csv": YCAL})
    assert (found.n_samples, found.n_features) == (None, None)
    assert noted(found, "Xcal.csv")
    assert found.y_stats["protein"]["max"] == 14.25


def test_archives(told):
    found = told({"Xcal.csv.zip": zipped(a=XCAL, b="1;2"), "Ycal.zip": zipped(y=YCAL)})
    assert (found.n_samples, found.n_features, found.y_columns) == (6, 6, ["protein"])
    assert noted(found, "Xcal.csv.zip", "a.csv")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "cp1252"])
def test_encodings(told, encoding):
    name = "protéine"
    found = told(
        {"Xcal.csv": XCAL.encode(encoding), "Ycal.csv": targets(*PROTEIN, name=name).encode(encoding)}
    )
    assert (found.n_samples, found.n_features, found.y_columns) == (6, 6, [name])
    assert noted(found, "Ycal.csv", "UTF" if encoding.startswith("utf") else "Latin-1")


@pytest.mark.parametrize("line", ["0.1;0.2", "1;2;3;4;5;6;7"])
@pytest.mark.parametrize("at", [3, 150])
def test_a_ragged_line_is_named(told, line, at):
    rows = (ROWS * 30)[:at]
    found = told({"Xcal.csv": "\n".join([HEADER, *rows, line])})
    assert (found.n_samples, found.n_features) == (None, None)
    assert noted(found, "Xcal.csv", f"line {at + 2}")


def test_a_file_twice_in_one_is_not_counted(told):
    found = told({"Xcal.csv": XCAL + XCAL})
    assert (found.n_samples, found.n_features) == (None, 6)
    assert noted(found, "line 8 of Xcal.csv")


def test_targets_of_several_files_or_without_spectra(told):
    found = told({"Xcal.csv": XCAL, "Ycal_1.csv": YCAL, "Ycal_2.csv": YCAL})
    assert (found.n_samples, found.y_columns) == (6, [])
    assert noted(found, "Ycal_1.csv", "Ycal_2.csv")
    found = told({"Xcal.csv": XCAL, "Ycal.csv": YCAL, "Yval.csv": YCAL})
    assert found.n_samples is None


def test_parquet_columns_of_other_types(tmp_path):
    frame = pl.DataFrame({"sample": list("abcdef"), **{str(w): X[:, i] for i, w in enumerate(WAVELENGTHS)}})
    frame.write_parquet(tmp_path / "Xcal.parquet")
    pl.DataFrame({"protein": [1.5, None, 2.5, 3.5, 4.5, math.nan]}).write_parquet(tmp_path / "Ycal.parquet")
    found = describe(tmp_path)
    assert (found.n_samples, found.n_features, found.wavelength_range) == (6, 6, [1100, 1110])
    assert found.y_stats["protein"]["mean"] == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("first", "count"), [("0.2000;0.3000;0.4000;0.5000;0.6000;0.7000", 6), (HEADER, None)]
)
def test_parquet_counts_the_rows_of_text_beside_it(tmp_path, first, count):
    (tmp_path / "Xcal.csv").write_text("\n".join([first, *ROWS[1:]]))
    pl.DataFrame({"protein": PROTEIN}).write_parquet(tmp_path / "Ycal.parquet")
    found = describe(tmp_path)
    assert (found.n_samples, found.wavelength_range, found.task_type) == (count, None, "regression")


def test_a_long_file_is_read_to_its_end(told):
    rows = [f"{i}.5;{i % 7}" for i in range(70_000)]
    found = told({"Xcal.csv": "\n".join([HEADER, *ROWS]), "Ycal.csv": "a;b\n" + "\n".join(rows)})
    values = np.arange(70_000) + 0.5
    stats = found.y_stats["a"]
    assert [stats["min"], stats["max"], stats["mean"], stats["std"]] == pytest.approx(
        [values.min(), values.max(), values.mean(), values.std(ddof=1)]
    )


def test_a_version_that_tells_less_says_what_was_kept(tmp_path):
    folder = tmp_path / "wheat"
    folder.mkdir()
    (folder / "Xcal.csv").write_text(XCAL)
    (folder / "Ycal.csv").write_text(YCAL)
    ws = n4w.Workspace.create(tmp_path / "ws")
    ws.datasets.register(folder)
    (folder / "Ycal.csv").write_text(targets(10.5, 11.25, "<1.0", 12.75, 13.5, 14.25))
    accepted = ws.datasets.accept_version("wheat")
    assert (accepted.n_samples, accepted.task_type) == (6, "regression")
    assert any("retained" in note and "task_type" in note and "y_stats" in note for note in accepted.notes)
    assert not any("n_samples" in note for note in accepted.notes)


@pytest.mark.parametrize("count", [1, 2, 21, 99, 100, 101, 250])
@pytest.mark.parametrize("comment", ["# comment", "# it's, 5 of \"these", "Instrument: FOSS"])
def test_comments_above_a_table_are_no_samples(told, count, comment):
    above = (comment + "\n") * count
    found = told({"all.csv": above + one_file("protein")}, "all.csv")
    if comment.startswith("#"):
        assert (found.n_samples, found.n_features, found.y_columns) == (6, 6, ["protein"])
        assert noted(found, f"the first {count} lines")
    else:
        assert (found.n_samples, found.n_features, found.y_columns) == (None, None, [])
        assert noted(found, "line")
    found = told({"Xcal.csv": "#\n" + XCAL, "Ycal.csv": above + YCAL})
    assert found.n_samples in (6, None if count < 3 else 6)
    assert found.y_stats in ({}, {"protein": pytest.approx(told({"Ycal.csv": YCAL}).y_stats["protein"])})
    if comment == "# comment":
        assert (found.y_columns, found.task_type) == (["protein"], "regression")


def test_a_sharp_may_begin_names_and_fault_lines_keep_their_numbers(told):
    rows = [f"#{i};{row}" for i, row in enumerate(ROWS * 30)]
    found = told({"all.csv": "\n".join([f"#sample;{HEADER}", *rows])}, "all.csv")
    assert (found.n_samples, found.n_features) == (180, 6)
    y = "# a\n\n# b\n" * 60 + targets(*PROTEIN[:5], "<1.0")
    assert noted(told({"Xcal.csv": XCAL, "Ycal.csv": y}), "line 187")
    assert told({"Xcal.csv": XCAL, "Ycal.csv": "# protein\n" + "\n".join(map(str, PROTEIN))}).task_type


def test_a_file_of_nothing_but_comments_is_noted(told):
    for count in (150, 100_001):
        found = told({"Xcal.csv": "# c\n" * count})
        assert (found.n_samples, found.n_features) == (None, None)
        assert noted(found, "Xcal.csv was not read")


@pytest.mark.parametrize("at", [0, 2, 5])
def test_a_blank_line_that_is_a_sample_is_named_by_its_number(told, at):
    lines = [str(value) for value in PROTEIN]
    lines[at] = ""
    found = told({"Xcal.csv": XCAL, "Ycal.csv": "\n".join(["protein", *lines]) + "\n"})
    assert found.n_samples == 6
    assert noted(found, "1 missing", f"in line {at + 2}")


def test_separators_below_spectra_are_a_sample_where_targets_have_one_more(told):
    x, y = XCAL + ";" * 5 + "\n", YCAL + "NA\n"
    found = told({"Xcal.csv": x, "Ycal.csv": y})
    frame = pl.read_csv(io.StringIO(x), separator=";")
    assert (found.n_samples, found.n_features) == frame.shape
    assert found.y_stats["protein"]["mean"] == pytest.approx(np.mean(PROTEIN))
    assert not noted(found, "do not match")
    assert told({"Xcal.csv": x, "Ycal.csv": YCAL}).n_samples == 6
    pair = "a;b\n" + "\n".join(f"{value};1.5" for value in PROTEIN)
    assert told({"Xcal.csv": XCAL, "Ycal.csv": pair + "\n;\n"}).n_samples == 6
