"""Every patch of `make sabotage` still applies to the sources, in one place, and names a test."""

import pytest
from sabotage import REPO, SABOTAGES


@pytest.mark.parametrize("name", SABOTAGES)
def test_a_patch_applies(name):
    file, right, wrong, test = SABOTAGES[name]
    assert (REPO / file).read_text("utf-8").count(right) == 1
    assert right != wrong
    module, _, function = test.partition("::")
    assert f"def {function.partition('[')[0]}(" in (REPO / "tests" / module).read_text("utf-8")
