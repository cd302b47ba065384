"""Which lines and columns of a dataset are names, wavelengths, units or samples."""

import math

import numpy as np
import pytest
from describing import HEADER, PROTEIN, ROWS, WAVELENGTHS, XCAL, YCAL, X, make_told, noted, one_file, targets


@pytest.fixture
def told(tmp_path_factory):
    return make_told(tmp_path_factory)


@pytest.mark.parametrize("mark", ["#N/A", "", "-", "<0.1", "n.d."])
def test_a_mark_among_spectra_drops_no_wavelength_and_is_named(told, mark):
    rows = list(ROWS)
    rows[2] = mark + ";" + rows[2].split(";", 1)[1]
    found = told({"Xcal.csv": "\n".join([HEADER, *rows]) + "\n", "Ycal.csv": YCAL})
    assert (found.n_samples, found.n_features, found.wavelength_range) == (6, 6, [1100, 1110])
    assert noted(found, "Xcal.csv", "line 4", "column 1", "1100", repr(mark))


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


@pytest.mark.parametrize("columns", [2, 3, 4, 7])
@pytest.mark.parametrize("separator", [";", ",", "\t"])
@pytest.mark.parametrize("form", ["sep={}", "SEP={}", "sep={}{}{}", '"sep={}"'])
@pytest.mark.parametrize("above", ["", "# made by hand\n"])
def test_the_line_that_tells_excel_the_separator_is_no_row(told, columns, separator, form, above):
    """However many fields it has, and whatever numbers stand below it."""
    header = separator.join(str(1000 + k) for k in range(columns))
    rows = [separator.join(f"{0.1 * k + row:.2f}" for k in range(columns)) for row in range(3)]
    mark = above + form.format(*[separator] * 3) + "\n"
    found = told({"Xcal.csv": mark + "\n".join([header, *rows]), "Ycal.csv": mark + "y\n1.5\n2.5\n4\n"})
    seen = (found.n_samples, found.n_features, found.wavelength_range)
    assert seen == (3, columns, [1000, 999 + columns]), found.notes
    assert found.y_stats["y"]["max"] == 4
    number = 1 + above.count("\n")
    assert noted(found, f"line {number} of Xcal.csv")
    assert noted(found, f"line {number} of Ycal.csv")


def test_a_line_that_tells_excel_another_separator(told):
    found = told({"Xcal.csv": "sep=,\n" + XCAL, "Ycal.csv": YCAL})
    assert (found.n_features, found.wavelength_range) == (None, None)
    assert noted(found, "Xcal.csv", "sep=,")


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


def test_units_below_names_are_no_sample(told):
    units = ";".join(["nm"] * 6)
    found = told({"Xcal.csv": "\n".join([HEADER, units, *ROWS])})
    assert (found.n_samples, found.n_features) == (None, 6)
    assert noted(found, "line 2 of Xcal.csv")


@pytest.mark.parametrize("first", [0.35, 12.5])
def test_a_first_spectrum_with_fewer_decimals_than_others_may_be_wavelengths(told, first):
    rows = [",".join(f"{value * 9 * first:.5f}" for value in row) for row in X]
    rising = ",".join(f"{first * (1 + i):.3f}" for i in range(6))
    found = told({"all.csv": "\n".join([rising, *rows])}, "all.csv")
    assert (found.n_samples, found.wavelength_range) == (None, None)
    assert noted(found, "line 1 of all.csv", "wavelengths or a sample")


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


def test_rows_that_are_numbered_without_names_are_not_told(told):
    y = "\n".join(f"{i};{value}" for i, value in enumerate(PROTEIN, 1))
    found = told({"Xcal.csv": XCAL, "Ycal.csv": y})
    assert (found.n_samples, found.y_columns, found.y_stats) == (6, [], {})
    assert noted(found, "column 1 of Ycal.csv counts")


def test_a_year_beside_wavelengths_may_be_a_target(told):
    found = told({"all.csv": one_file("2019")}, "all.csv")
    assert (found.n_samples, found.n_features, found.wavelength_range) == (6, None, None)
    assert noted(found, "'2019' of all.csv", "wavelength or a target")
