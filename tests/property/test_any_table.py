"""Any table of numbers in any dialect is described as the arrays say that were written, or not at all."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nirs4all_workspace.datasets.inspect.describe import describe
from tables import ANY, PLAIN, write_dataset


def true_stats(truth) -> dict:
    names = truth.names or (
        ["y"] if truth.y.shape[1] == 1 else [f"y{i + 1}" for i in range(truth.y.shape[1])]
    )
    stats = {}
    for i, name in enumerate(names):
        values = truth.y[~truth.is_missing[:, i], i]
        if len(values):
            std = np.std(values, ddof=1) if len(values) > 1 else None
            stats[name] = {"min": values.min(), "max": values.max(), "mean": values.mean(), "std": std}
    return names, stats


def check(found, truth) -> None:
    """What is described is true; what is not is null, and a note says why."""
    assert found.n_samples in (None, len(truth.x))
    assert found.n_features in (None, truth.x.shape[1])
    if found.wavelength_range is not None:
        assert truth.wavelengths is not None
        assert found.wavelength_range == pytest.approx([min(truth.wavelengths), max(truth.wavelengths)])
    if truth.y is None:
        assert (found.y_columns, found.y_stats, found.task_type) == ([], {}, None)
    else:
        names, stats = true_stats(truth)
        assert found.y_columns in ([], names)
        for name, values in found.y_stats.items():
            assert values == pytest.approx(stats[name])
        assert found.task_type in (None, "regression")
    told = (found.n_samples, found.n_features, truth.wavelengths and found.wavelength_range)
    if None in told or (truth.y is not None and not (found.y_columns and found.task_type)):
        assert found.notes


@given(data=st.data(), dialect=ANY)
def test_any_dialect_is_described_right_or_not_at_all(data, dialect):
    with TemporaryDirectory() as folder:
        path, truth = write_dataset(data.draw, Path(folder), dialect, plain=False)
        check(describe(path), truth)


@given(data=st.data(), dialect=PLAIN)
def test_plain_dialects_are_described_in_full(data, dialect):
    with TemporaryDirectory() as folder:
        path, truth = write_dataset(data.draw, Path(folder), dialect, plain=True)
        found = describe(path)
        check(found, truth)
        names, stats = true_stats(truth)
        assert (found.n_samples, found.n_features) == truth.x.shape
        assert (found.y_columns, set(found.y_stats), found.task_type) == (names, set(stats), "regression")
        assert (found.wavelength_range is None) == (truth.wavelengths is None)
