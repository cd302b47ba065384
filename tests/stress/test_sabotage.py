"""Every patch of `make sabotage` still applies to the sources, in one place, and names a test or a file."""

import pytest
from sabotage import REPO, SABOTAGES


@pytest.mark.parametrize("name", SABOTAGES)
def test_a_patch_applies(name):
    file, right, wrong, test = SABOTAGES[name]
    assert (REPO / file).read_text("utf-8").count(right) == 1
    assert right != wrong
    module, _, function = test.partition("::")
    tests = (REPO / "tests" / module).read_text("utf-8")
    # Where no function is named, any of the file's may notice.
    assert not function or f"def {function.partition('[')[0]}(" in tests
