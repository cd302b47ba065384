"""Descriptions of files as people and instruments leave them: right, or null with a note that says where."""

import gzip
import io
import math
import zipfile

import nirs4all_workspace as n4w
import numpy as np
import polars as pl
import pytest
from nirs4all_workspace.datasets.inspect.describe import describe

WAVELENGTHS = [1100, 1102, 1104, 1106, 1108, 1110]
HEADER = ";".join(map(str, WAVELENGTHS))
X = np.random.default_rng(7).uniform(0.1, 0.9, (6, 6)).round(4)
ROWS = [";".join(f"{value:.4f}" for value in row) for row in X]
XCAL = "\n".join([HEADER, *ROWS]) + "\n"
PROTEIN = [10.5, 11.25, 12.0, 12.75, 13.5, 14.25]
YCAL = "protein\n" + "\n".join(map(str, PROTEIN)) + "\n"


@pytest.fixture
def told(tmp_path_factory):
    """Give `told(files)`: what is described of a folder of these files, or of the one that is named."""

    def described(files, single=None):
        folder = tmp_path_factory.mktemp("wheat")
        for name, content in files.items():
            (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return describe(folder / single if single else folder)

    return described


def targets(*values, name="protein"):
    return "\n".join([name, *map(str, values)]) + "\n"


def noted(found, *parts):
    """Whether one note has all of these in it."""
    return any(all(str(part) in note for part in parts) for note in found.notes)


def zipped(**members):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as opened:
        for name, content in members.items():
            opened.writestr(f"{name}.csv", content)
    return archive.getvalue()


@pytest.mark.parametrize(
    "mark", ["#N/A", "N/A", "NA", "NULL", "null", "None", "n/a", "NaN", "nan", "<NA>", "-nan", "#NA", ""]
)
def test_marks_that_pandas_takes_for_missing_are_missing(told, mark):
    found = told({"Xcal.csv": XCAL, "Ycal.csv": targets(10.5, 11.25, mark, 12.75, 13.5, 14.25)})
    assert (found.n_samples, found.task_type) == (6, "regression")
    known = [10.5, 11.25, 12.75, 13.5, 14.25]
    assert found.y_stats["protein"]["mean"] == pytest.approx(np.mean(known))
    assert found.y_stats["protein"]["std"] == pytest.approx(np.std(known, ddof=1))
    assert noted(found, "Ycal.csv", "line", "protein", repr(mark))


@pytest.mark.parametrize("mark", ["-", "?", ".", "<1.0", "n.d.", "12,5x", "abc"])
def test_other_marks_leave_task_and_statistics_open_and_are_named(told, mark):
    found = told({"Xcal.csv": XCAL, "Ycal.csv": targets(10.5, 11.25, mark, 12.75, 13.5, 14.25)})
    assert (found.n_samples, found.y_columns) == (6, ["protein"])
    assert (found.task_type, found.y_stats) == (None, {})
    assert noted(found, "Ycal.csv", "line 4", "column 1", repr(mark))


@pytest.mark.parametrize("mark", ["#N/A", "", "-", "<0.1", "n.d."])
def test_a_mark_among_spectra_drops_no_wavelength_and_is_named(told, mark):
    rows = list(ROWS)
    rows[2] = mark + ";" + rows[2].split(";", 1)[1]
    found = told({"Xcal.csv": "\n".join([HEADER, *rows]) + "\n", "Ycal.csv": YCAL})
    assert (found.n_samples, found.n_features, found.wavelength_range) == (6, 6, [1100, 1110])
    assert noted(found, "Xcal.csv", "line 4", "column 1", "1100", repr(mark))


@pytest.mark.parametrize(
    "labels",
    [
        ["a", "b", "a", "b", "a", "b"],
        ["3a", "3b", "3a", "3b", "3a", "3b"],
        ["high protein", "low protein"] * 3,
        ["low", "high", "NA", "low", "high", "low"],
        ["True", "False", "True", "True", "False", "True"],
    ],
)
def test_texts_are_classes(told, labels):
    found = told({"Xcal.csv": XCAL, "Ycal.csv": targets(*labels, name="kind")})
    assert (found.y_columns, found.y_stats, found.task_type) == (["kind"], {}, "classification")


@pytest.mark.parametrize(
    "values",
    [
        ["10.5 %", "11.5 %", "12.5 %", "13.5 %", "14.5 %", "15.5 %"],
        ["<1.0", "<2.0", ">5", "<1.0", "<2.0", ">5"],
        ["'10.5'", "'11.5'", "'12.5'", "'13.5'", "'14.5'", "'15.5'"],
        ["\u221210.5", "\u221211.5"] * 3,
        ["1.5D+01", "2.5D+01"] * 3,
        ["1_000", "2_000"] * 3,
        ["2024-01-01", "2024-01-02"] * 3,
        ["1\u00a0234,5", "2\u00a0345,5"] * 3,
        ["-", "-", "-", "-", "-", "-"],
        ["1", "2", "a", "1", "2", "b"],
    ],
)
def test_what_is_almost_a_number_is_neither_class_nor_value(told, values):
    found = told({"Xcal.csv": XCAL, "Ycal.csv": targets(*values)})
    assert (found.n_samples, found.task_type, found.y_stats) == (6, None, {})
    assert noted(found, "Ycal.csv")


def test_whole_numbers_are_classes_or_values(told):
    found = told({"Xcal.csv": XCAL, "Ycal.csv": targets(1, 2, 1, 1, 2, 1)})
    assert (found.y_stats["protein"]["max"], found.task_type) == (2, None)
    assert noted(found, "integers")


def test_blanks_around_numbers_exponents_and_infinities(told):
    found = told({"Xcal.csv": XCAL, "Ycal.csv": targets(" 1.5e1 ", "2.5E+00", "1e-3", "inf", "-inf", 4.5)})
    assert found.task_type == "regression"
    assert found.y_stats["protein"]["mean"] == pytest.approx((15 + 2.5 + 0.001 + 4.5) / 4)


def test_thousands_are_told_where_two_marks_prove_them(told):
    values = [1230.5 + i for i in range(6)]
    lines = "\n".join(f"1.23{i},5;1{i},5" for i in range(6))
    found = told({"Xcal.csv": XCAL, "Ycal.csv": "dm;p\n" + lines})
    assert found.y_stats["dm"]["mean"] == pytest.approx(np.mean(values))
    assert found.y_stats["p"]["max"] == 15.5


def test_one_comma_before_three_digits_may_be_decimals_or_thousands(told):
    found = told({"Xcal.csv": XCAL, "Ycal.csv": targets(*[f'"1,23{i}"' for i in range(6)])})
    assert (found.n_samples, found.y_columns, found.y_stats) == (6, ["protein"], {})
    assert noted(found, "Ycal.csv", "line 2", "'1,230'")


def test_decimals_that_contradict_each_other_are_not_told(told):
    found = told({"Xcal.csv": XCAL, "Ycal.csv": "a;b\n" + "10.5;10,5\n" * 6})
    assert (found.n_samples, found.y_stats, found.task_type) == (6, {}, None)
    assert noted(found, "Ycal.csv", "'10.5'", "'10,5'")


def test_spectra_tell_the_decimal_mark_of_targets(told):
    commas = XCAL.replace(".", ",")
    found = told({"Xcal.csv": commas, "Ycal.csv": "\n".join(f"1{i},234" for i in range(6))})
    assert (found.y_columns, found.y_stats["y"]["min"]) == (["y"], 10.234)


@pytest.mark.parametrize("count", [1, 3, 40])
def test_decimal_commas_that_begin_late(told, count):
    rows = [str(10 + i % 7) for i in range(count)] + ["10,5"]
    x = "\n".join([HEADER, *(ROWS * 7)[: count + 1]])
    found = told({"Xcal.csv": x, "Ycal.csv": "p\n" + "\n".join(rows)})
    assert (found.n_samples, found.task_type) == (count + 1, "regression")
    assert found.y_stats["p"]["mean"] == pytest.approx(np.mean([float(r.replace(",", ".")) for r in rows]))


def test_all_spectra_rise_below_a_header(told):
    wavelengths = list(range(400, 900, 10))
    rows = [";".join(f"{0.03 * (i + 1) + 0.001 * (w - 400):.4f}" for w in wavelengths) for i in range(6)]
    header = ";".join(map(str, wavelengths))
    for beside in ({"Ycal.csv": YCAL}, {}):
        found = told({"Xcal.csv": "\n".join([header, *rows]), **beside})
        assert (found.n_samples, found.wavelength_range) == (6, [400, 890])


def test_a_first_spectrum_that_rises_is_no_header(told):
    rising = ";".join(f"{0.2 + 0.01 * i:.4f}" for i in range(6))
    found = told({"Xcal.csv": "\n".join([rising, *ROWS[1:]]), "Ycal.csv": YCAL})
    assert (found.n_samples, found.n_features, found.wavelength_range) == (6, 6, None)


def test_a_first_spectrum_that_rises_alone_may_be_a_header(told):
    rising = ";".join(f"{0.2 + 0.01 * i:.4f}" for i in range(6))
    found = told({"Xcal.csv": "\n".join([rising, *ROWS[1:]])})
    assert (found.n_samples, found.n_features) == (None, 6)
    assert noted(found, "line 1 of Xcal.csv")


def test_a_rounded_wavelength_twice(told):
    twice = XCAL.replace("1100;1102;1104", "1100;1102;1102")
    found = told({"Xcal.csv": twice, "Ycal.csv": YCAL})
    assert (found.n_samples, found.wavelength_range) == (6, [1100, 1110])
    assert noted(found, "repeated")


@pytest.mark.parametrize("header", ["0;1;2;3;4;5", "X1;X2;X3;X4;X5;X6", "1;2;3;4;5;6"])
def test_numbered_columns_are_no_wavelengths(told, header):
    found = told({"Xcal.csv": "\n".join([header, *ROWS]), "Ycal.csv": YCAL})
    assert (found.n_samples, found.n_features, found.wavelength_range) == (6, 6, None)
    assert noted(found, "numbered")


def test_lines_above_the_header(told):
    for above in ("# NIRX\n# 2024\n", "sep=;\n", "Instrument;NIRX;;;;\n"):
        found = told({"Xcal.csv": above + XCAL, "Ycal.csv": YCAL})
        assert (found.n_samples, found.n_features, found.wavelength_range) == (6, 6, [1100, 1110])


@pytest.mark.parametrize("unit", [("nm", "nm"), ("cm-1", "cm-1"), ("µm", "um")])
def test_units_in_names(told, unit):
    header = ";".join(f"{w} {unit[0]}" for w in reversed(WAVELENGTHS))
    found = told({"Xcal.csv": "\n".join([header, *ROWS]), "Ycal.csv": YCAL})
    assert (found.wavelength_range, found.wavelength_unit) == ([1100, 1110], unit[1])


def test_falling_numbers_below_3300_have_no_unit(told):
    header = ";".join(map(str, range(1800, 1740, -10)))
    found = told({"Xcal.csv": "\n".join([header, *ROWS]), "Ycal.csv": YCAL})
    assert (found.wavelength_range, found.wavelength_unit) == ([1750, 1800], None)


def test_columns_beside_spectra(told):
    named = [f"S{i}a;{row}" for i, row in enumerate(ROWS)]
    found = told({"Xcal.csv": "\n".join([f"sample;{HEADER}", *named]), "Ycal.csv": YCAL})
    assert (found.n_samples, found.n_features, found.wavelength_range) == (6, 6, [1100, 1110])


@pytest.mark.parametrize("name", ["", "id", "sample"])
def test_a_column_that_counts_may_be_a_wavelength_to_nirs4all(told, name):
    x = "\n".join([f"{name};{HEADER}", *(f"{i};{row}" for i, row in enumerate(ROWS))])
    y = "\n".join([f"{name};protein", *(f"{i};{value}" for i, value in enumerate(PROTEIN))])
    found = told({"Xcal.csv": x, "Ycal.csv": y})
    assert (found.n_samples, found.n_features, found.y_columns, found.y_stats) == (6, None, [], {})
    assert noted(found, "column 1", "Xcal.csv")
    assert noted(found, "column 1", "Ycal.csv")


def test_names_of_samples_beside_targets(told):
    y = "\n".join(["sample;protein", *(f"S{i}a;{value}" for i, value in enumerate(PROTEIN))])
    found = told({"Xcal.csv": XCAL, "Ycal.csv": y})
    assert (found.y_columns, found.task_type) == ([], None)
    assert noted(found, "'sample' of Ycal.csv")


def test_names_of_rows_as_r_writes_them(told):
    x = "\n".join([HEADER, *(f'"{i}";{row}' for i, row in enumerate(ROWS, 1))])
    found = told({"Xcal.csv": x, "Ycal.csv": YCAL})
    assert (found.n_samples, found.n_features, found.wavelength_range) == (6, 6, [1100, 1110])


@pytest.mark.parametrize("header", ["", "nm;absorbance\n", "wavelength;absorbance\n"])
@pytest.mark.parametrize("name", ["Xcal.csv", "scan.txt"])
def test_a_spectrum_down_two_columns_is_no_table_of_samples(told, header, name):
    lines = "".join(f"{1100 + 2 * i};{math.sin(i) + 2:.4f}\n" for i in range(50))
    found = told({name: header + lines}, None if name == "Xcal.csv" else name)
    assert (found.n_samples, found.n_features, found.wavelength_range) == (None, None, None)
    assert noted(found, name, "columns")


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
        gzip.compress(XCAL.encode()),
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


def test_units_below_names_are_no_sample(told):
    units = ";".join(["nm"] * 6)
    found = told({"Xcal.csv": "\n".join([HEADER, units, *ROWS])})
    assert (found.n_samples, found.n_features) == (None, 6)
    assert noted(found, "line 2 of Xcal.csv")


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


def test_one_file_with_marks_and_labels(told):
    lines = [f"S{i}a;{i % 3};{value};{row}" for i, (value, row) in enumerate(zip(PROTEIN, ROWS, strict=True))]
    content = "\n".join([f"sample;rep;protein;{HEADER}", *lines, "", ""])
    found = told({"all.csv": content}, "all.csv")
    assert (found.n_samples, found.n_features, found.y_columns) == (6, 6, ["protein"])
    assert (found.task_type, found.wavelength_range) == ("regression", [1100, 1110])


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


@pytest.mark.parametrize(("separator", "told_as"), [(";", "y"), ("\t", "y"), (",", None)])
def test_commas_before_leading_zeros_are_decimals(told, separator, told_as):
    values = [5.0, 5.53, 6.05, 6.58, 7.11, 7.63]
    y = "\n".join(f"{value:.2f}".replace(".", ",") for value in values)
    found = told({"Xcal.csv": XCAL.replace(";", separator), "Ycal.csv": y})
    assert found.y_columns == ([told_as] if told_as else [])
    if told_as:
        assert found.y_stats["y"]["mean"] == pytest.approx(np.mean(values))
    else:
        assert noted(found, "Ycal.csv", "decimal commas")


def test_pairs_of_whole_numbers_are_columns_beside_commas_and_undecided_beside_others(told):
    y = "\n".join(f"{5 + i % 3},{11 + i}" for i in range(6))
    assert told({"Xcal.csv": XCAL.replace(";", ","), "Ycal.csv": y}).y_columns == ["y1", "y2"]
    found = told({"Xcal.csv": XCAL, "Ycal.csv": y})
    assert (found.y_columns, found.task_type) == ([], None)
    assert noted(found, "Ycal.csv", "decimal commas")


def test_a_point_before_three_digits_beside_decimal_commas_is_not_told(told):
    y = targets(*[f"1.{38 + i:03}" for i in range(6)])
    found = told({"Xcal.csv": XCAL.replace(".", ","), "Ycal.csv": y})
    assert (found.y_columns, found.y_stats) == (["protein"], {})
    assert noted(found, "'1.038' in line 2 of Ycal.csv")


def one_file(name, values=PROTEIN, before=()):
    """A table of spectra and one target, such as pandas writes, with other columns before them."""
    head = ",".join([*(column for column, _ in before), *map(str, WAVELENGTHS), name])
    lines = [
        ",".join([*(str(cells[i]) for _, cells in before), row.replace(";", ","), str(values[i])])
        for i, row in enumerate(ROWS)
    ]
    return "\n".join([head, *lines]) + "\n"


@pytest.mark.parametrize("name", ["N", "C", "Na", "pH", "OC", "y", "T", "C4", "x1", "X12", "protein"])
@pytest.mark.parametrize("before", [[], [("ID", list("abcdef"))], [("ID", range(6))], [("", range(6))]])
def test_a_target_beside_spectra_may_have_a_short_name(told, name, before):
    found = told({"all.csv": one_file(name, before=before)}, "all.csv")
    assert (found.n_samples, found.n_features, found.y_columns) == (6, 6, [name])
    assert found.y_stats[name]["mean"] == pytest.approx(np.mean(PROTEIN))
    assert found.wavelength_range == [1100, 1110]


@pytest.mark.parametrize("size", [1e-300, 1e-170, 1e150, 1e160, 1e280])
def test_statistics_of_very_large_and_very_small_targets(told, size):
    values = [float(f"{value}e{round(math.log10(size))}") for value in PROTEIN]
    found = told({"Xcal.csv": XCAL, "Ycal.csv": targets(*values)})
    stats = found.y_stats["protein"]
    assert (stats["min"], stats["max"]) == (min(values), max(values))
    assert stats["mean"] / size == pytest.approx(np.mean(PROTEIN))
    assert stats["std"] / size == pytest.approx(np.std(PROTEIN, ddof=1))


@pytest.mark.parametrize("other", [1e300, -1e308, 1e160])
def test_partitions_of_very_different_magnitudes(told, other):
    y = targets(*PROTEIN[:3], other, other, 3.5)
    found = told({"Xcal.csv": XCAL, "Ycal.csv": YCAL, "Xval.csv": XCAL, "Yval.csv": y})
    stats = found.y_stats["protein"]
    assert (stats["min"], stats["max"]) == (min(other, 3.5), max(other, 14.25))
    if abs(other) >= 2.0**960:
        assert (stats["mean"], stats["std"]) == (None, None)
        assert noted(found, "protein", "2^960")
    else:
        assert stats["mean"] / other == pytest.approx(2 / 12)
        assert stats["std"] / other == pytest.approx(np.std([0] * 10 + [1, 1], ddof=1))


@pytest.mark.parametrize("value", ["inf", "1e999", "7" * 4400])
def test_values_in_no_statistics_are_noted(told, value):
    found = told({"Xcal.csv": XCAL, "Ycal.csv": targets(*PROTEIN[:5], value)})
    assert found.y_stats["protein"]["max"] == 13.5
    assert noted(found, "1 values of 'protein'", "line 7", value[:20])


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


@pytest.mark.parametrize("first", [0.35, 12.5])
def test_a_first_spectrum_with_fewer_decimals_than_others_may_be_wavelengths(told, first):
    rows = [",".join(f"{value * 9 * first:.5f}" for value in row) for row in X]
    rising = ",".join(f"{first * (1 + i):.3f}" for i in range(6))
    found = told({"all.csv": "\n".join([rising, *rows])}, "all.csv")
    assert (found.n_samples, found.wavelength_range) == (None, None)
    assert noted(found, "line 1 of all.csv", "wavelengths or a sample")


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


@pytest.mark.parametrize("x", [XCAL, "\n".join(ROWS)])
def test_a_year_above_numbers_is_a_name_where_only_that_fits(told, x):
    found = told({"Xcal.csv": x, "Ycal.csv": targets(*PROTEIN, name="2019")})
    assert (found.n_samples, found.y_columns, found.task_type) == (6, ["2019"], "regression")
    assert found.y_stats["2019"]["mean"] == pytest.approx(np.mean(PROTEIN))
    y = "\n".join(["10", *map(str, PROTEIN[1:])])
    found = told({"Xcal.csv": x, "Ycal.csv": y})
    assert (found.n_samples, found.y_columns, found.y_stats["y"]["min"]) == (6, ["y"], 10)


@pytest.mark.parametrize(
    ("form", "unit"),
    [
        ("_nm", "nm"),
        (" (cm-1)", "cm-1"),
        ("[nm]", "nm"),
        (" [um]", "um"),
        ("_cm-1", "cm-1"),
        (" cm^-1", "cm-1"),
    ],
)
def test_units_behind_wavelengths_in_any_form(told, form, unit):
    head = ",".join([*(f"{wave}{form}" for wave in WAVELENGTHS), "protein"])
    content = "\n".join([head, *one_file("protein").splitlines()[1:]])
    found = told({"all.csv": content}, "all.csv")
    assert (found.n_samples, found.n_features, found.y_columns) == (6, 6, ["protein"])
    assert (found.wavelength_range, found.wavelength_unit) == ([1100, 1110], unit)


@pytest.mark.parametrize(
    ("first", "step", "unit"),
    [
        (650, 200, None),
        (200, 500, None),
        (1100, 2, "nm"),
        (900, 300, "nm"),
        (400, 420, "nm"),
        (350, 150, "nm"),
    ],
)
def test_rising_numbers_are_nm_only_where_they_are_no_cm(told, first, step, unit):
    header = ";".join(str(first + step * i) for i in range(6))
    found = told({"Xcal.csv": "\n".join([header, *ROWS]), "Ycal.csv": YCAL})
    assert (found.wavelength_range, found.wavelength_unit) == ([first, first + 5 * step], unit)
    assert noted(found, "unit of wavelengths")


@pytest.mark.parametrize("header", ["name\n", ""])
def test_texts_that_never_come_again_may_name_samples(told, header):
    found = told({"Xcal.csv": XCAL, "Ycal.csv": header + "\n".join(f"sample {i}" for i in range(6))})
    assert (found.n_samples, found.y_stats, found.task_type) == (6, {}, None)
    assert noted(found, "names of samples or classes")


def test_rows_that_are_numbered_without_names_are_not_told(told):
    y = "\n".join(f"{i};{value}" for i, value in enumerate(PROTEIN, 1))
    found = told({"Xcal.csv": XCAL, "Ycal.csv": y})
    assert (found.n_samples, found.y_columns, found.y_stats) == (6, [], {})
    assert noted(found, "column 1 of Ycal.csv counts")


def test_a_year_beside_wavelengths_may_be_a_target(told):
    found = told({"all.csv": one_file("2019")}, "all.csv")
    assert (found.n_samples, found.n_features, found.wavelength_range) == (6, None, None)
    assert noted(found, "'2019' of all.csv", "wavelength or a target")


@pytest.mark.parametrize("row", ["10.5;3.25", "1;3.25"])
def test_one_row_of_targets_without_names(told, row):
    found = told({"Xcal.csv": "\n".join([HEADER, ROWS[0]]), "Ycal.csv": row + "\n"})
    assert (found.y_columns, found.y_stats["y2"]["max"]) == (["y1", "y2"], 3.25)
