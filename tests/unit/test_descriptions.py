"""What people and instruments leave in the values of datasets' files: marks, decimals, labels, statistics."""

import math

import numpy as np
import pytest
from describing import HEADER, PROTEIN, ROWS, XCAL, YCAL, make_told, noted, one_file, targets


@pytest.fixture
def told(tmp_path_factory):
    return make_told(tmp_path_factory)


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


def test_one_file_with_marks_and_labels(told):
    lines = [f"S{i}a;{i % 3};{value};{row}" for i, (value, row) in enumerate(zip(PROTEIN, ROWS, strict=True))]
    content = "\n".join([f"sample;rep;protein;{HEADER}", *lines, "", ""])
    found = told({"all.csv": content}, "all.csv")
    assert (found.n_samples, found.n_features, found.y_columns) == (6, 6, ["protein"])
    assert (found.task_type, found.wavelength_range) == ("regression", [1100, 1110])


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


@pytest.mark.parametrize("header", ["name\n", ""])
def test_texts_that_never_come_again_may_name_samples(told, header):
    found = told({"Xcal.csv": XCAL, "Ycal.csv": header + "\n".join(f"sample {i}" for i in range(6))})
    assert (found.n_samples, found.y_stats, found.task_type) == (6, {}, None)
    assert noted(found, "names of samples or classes")


@pytest.mark.parametrize("row", ["10.5;3.25", "1;3.25"])
def test_one_row_of_targets_without_names(told, row):
    found = told({"Xcal.csv": "\n".join([HEADER, ROWS[0]]), "Ycal.csv": row + "\n"})
    assert (found.y_columns, found.y_stats["y2"]["max"]) == (["y1", "y2"], 3.25)
