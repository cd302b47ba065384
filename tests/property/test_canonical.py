"""Canonical JSON is what the package rfc8785 writes."""

import rfc8785
from hypothesis import given
from hypothesis import strategies as st
from nirs4all_workspace._native import canonical_json

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text().filter(lambda text: not text.startswith("n4a:")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(PLAIN)
def test_plain_data_is_written_as_rfc_8785_says(value):
    assert canonical_json(value) == rfc8785.dumps(value)
