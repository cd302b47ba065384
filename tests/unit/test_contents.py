"""What is read of datasets: layouts are detected or said to be undecided, against generated tables."""

import gzip
import math

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nirs4all_workspace.datasets.inspect.describe import describe
from nirs4all_workspace.datasets.inspect.dialect import detect
from nirs4all_workspace.datasets.inspect.table_profile import profile_table
from nirs4all_workspace.datasets.inspect.text import Undecided

WAVELENGTHS = [f"{1000 + 2.5 * i:g}" for i in range(12)]


def spectra(rows):
    return [[f"{math.sin(r + c) + 2:.6f}" for c in range(12)] for r in range(rows)]


def text(rows, separator=";", decimal="."):
    fields = [[field.replace(".", decimal) for field in row] for row in rows]
    return "\n".join(separator.join(row) for row in fields) + "\n"


@pytest.mark.parametrize(
    ("separator", "decimal"), [(";", "."), (";", ","), ("\t", ","), (",", "."), ("|", "."), (" ", ".")]
)
@pytest.mark.parametrize("header", [True, False])
def test_layouts(tmp_path, separator, decimal, header):
    rows = spectra(15)
    path = tmp_path / "Xcal.csv.gz"
    content = text(([WAVELENGTHS] if header else []) + rows, separator, decimal)
    path.write_bytes(gzip.compress(content.encode()))
    found = profile_table(path)
    assert (found.dialect.separator, found.decimal, found.rows) == (separator, decimal, 15 + header)
    (tmp_path / "Ycal.csv").write_text(text([["protein"], *[[f"{r / 8}"] for r in range(15)]]))
    found = describe(tmp_path)
    assert (found.n_samples, found.n_features, found.y_columns) == (15, 12, ["protein"])
    assert found.wavelength_range == ([1000.0, 1027.5] if header else None)
    assert found.y_stats["protein"]["max"] == 14 / 8


def test_two_partitions_are_one_dataset(tmp_path):
    targets = {"cal": [1.5, 2.5, 9.0], "val": [4.0, 5.5]}
    for part, values in targets.items():
        (tmp_path / f"{part}_x.csv").write_text(text([WAVELENGTHS, *spectra(len(values))]))
        pl.DataFrame({"fat": values}).write_parquet(tmp_path / f"Y{part}.parquet")
    found = describe(tmp_path)
    every = pl.Series(targets["cal"] + targets["val"])
    expected = {"min": 1.5, "max": 9.0, "mean": every.mean(), "std": every.std()}
    assert (found.n_samples, found.y_stats["fat"]) == (5, pytest.approx(expected))
    assert (found.task_type, found.wavelength_unit) == ("regression", "nm")


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (["1,5", "2,5", "3,5"], "two columns, or one with decimal commas"),
        (["a;b,c", "d;e,f"], "divide evenly"),
        (["1;2\t3", "4;5\t6"], "divide evenly"),
        (["1;2", "3"], "different numbers of fields"),
        ([], "empty"),
    ],
)
def test_what_fits_two_readings_is_not_decided(tmp_path, lines, why):
    with pytest.raises(Undecided, match=why):
        detect(lines)
    (tmp_path / "Xcal.csv").write_text("\n".join(lines))
    found = describe(tmp_path)
    assert (found.n_samples, found.n_features) == (None, None)
    assert any("Xcal.csv was not read" in note and why in note for note in found.notes)


def test_a_single_column_with_decimal_commas(tmp_path):
    for lines, names in ((["Prot", "12,5", "13", "9,25"], ["Prot"]), (["12,5", "13", "9,25"], ["y"])):
        (tmp_path / "Ycal.csv").write_text("\n".join(lines))
        (tmp_path / "Xcal.csv").write_text(text([WAVELENGTHS, *spectra(3)]))
        found = describe(tmp_path)
        assert (found.y_columns, found.y_stats[names[0]]["max"]) == (names, 13)


@pytest.mark.parametrize(("labels", "header"), [(["kind", "a", "b", "c"], True), (["a", "b", "c"], False)])
def test_labels_have_a_header_where_there_is_one_line_more_than_spectra(tmp_path, labels, header):
    (tmp_path / "Xtrain.csv").write_text(text([WAVELENGTHS, *spectra(3)]))
    (tmp_path / "Ytrain.csv").write_text("\n".join(labels))
    found = describe(tmp_path)
    assert (found.n_samples, found.task_type) == (3, "classification")
    assert found.y_columns == (["kind"] if header else ["y"])


def test_numbers_that_only_fall_are_wavenumbers_and_that_is_said(tmp_path):
    header = [str(12000 - 10 * i) for i in range(12)]
    (tmp_path / "Xcal.csv").write_text(text([header, *spectra(4)]))
    found = describe(tmp_path)
    assert (found.wavelength_range, found.wavelength_unit) == ([11890.0, 12000.0], "cm-1")
    assert any("taken for wavelengths" in note for note in found.notes)
    assert any("inferred from their range" in note for note in found.notes)


def test_spectra_and_targets_side_by_side(tmp_path):
    frame = pl.DataFrame(
        {
            "id": range(6),
            "variety": list("aabbcc"),
            "moisture": [10.5, 11.0, 12.25, 9.0, 8.5, 10.0],
            **{f"{1100 + 2 * i} nm": [float(i + j % 4) for j in range(6)] for i in range(8)},
        }
    )
    frame.write_parquet(tmp_path / "all.parquet")
    frame.write_csv(tmp_path / "all.csv", separator=";")
    for name in ("all.parquet", "all.csv"):
        found = describe(tmp_path / name)
        assert (found.n_samples, found.n_features, found.y_columns) == (6, 8, ["moisture"])
        assert (found.wavelength_range, found.wavelength_unit) == ([1100.0, 1114.0], "nm")
        assert any("taken for targets" in note for note in found.notes)


@pytest.mark.parametrize(
    "content", [b"\xff\xfe\x00\x01", b"PAR1", b"\x1f\x8b damaged", b"a;b\n1;2\n3;4;5\n" * 30]
)
@pytest.mark.parametrize("name", ["Xcal.csv", "Xcal.csv.gz", "Xcal.parquet"])
def test_a_bad_file_is_a_note(tmp_path, content, name):
    (tmp_path / name).write_bytes(content)
    found = describe(tmp_path)
    assert found.n_samples is None
    assert any(name in note for note in found.notes)


def test_real_datasets(data):
    import csv

    for folder, parts in (("regression", ("cal", "val")), ("classification", ("train", "test"))):
        values = []
        for part in parts:
            (file,) = data(folder).glob(f"Y{part}.csv*")
            opener = gzip.open if file.suffix == ".gz" else open
            with opener(file, "rt") as opened:
                fields = [row[0] for row in csv.reader(opened, delimiter=";")]
            values += [float(field) for field in fields if field != "Prot"]
        found = describe(data(folder))
        assert found.n_samples == len(values)
        (stats,) = found.y_stats.values()
        column = pl.Series(values)
        expected = {"min": min(values), "max": max(values), "mean": column.mean(), "std": column.std()}
        assert stats == pytest.approx(expected)
    assert (found.y_columns, found.n_features, found.wavelength_unit) == (["Prot"], 234, "cm-1")


@given(st.lists(st.text(alphabet='1a.,; \t|"-x', max_size=12), max_size=6))
def test_any_lines_are_a_layout_or_undecided(lines):
    try:
        layout = detect([line for line in lines if line.strip()])
    except Undecided:
        return
    assert layout.width > 0


def test_brackets_in_a_path_are_part_of_it(tmp_path):
    """`set [12]` is no pattern for its neighbour `set 1`."""
    for folder, values in (("set [12]", [1.5, 2.5]), ("set 1", [10.5, 20.5])):
        (tmp_path / folder).mkdir()
        spectra = {"1000": [0.25, 0.5], "1002": [0.125, 0.75]}
        pl.DataFrame(spectra).write_parquet(tmp_path / folder / "Xcal.parquet")
        pl.DataFrame({"fat": values}).write_parquet(tmp_path / folder / "Ycal.parquet")
    found = describe(tmp_path / "set [12]")
    assert (found.n_samples, found.y_columns) == (2, ["fat"])
    assert (found.y_stats["fat"]["min"], found.y_stats["fat"]["max"]) == (1.5, 2.5)
