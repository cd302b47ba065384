"""Without nirs4all, and with an old one: importing works, and what needs it says what to install."""

import subprocess
import sys

SAYS = 'pip install "nirs4all-workspace[nirs4all]"'

# In a process of its own, with no nirs4all to be found or another one in its place.
PROBE = """
import sys
{place}
import nirs4all_workspace.integrations.nirs4all as integration
from nirs4all_workspace.integrations.nirs4all import compute, content, expansion, inputs, models, rows, steps
from nirs4all_workspace.integrations.nirs4all.tasks import Input, Options, Task
assert "nirs4all" not in sys.modules or sys.modules["nirs4all"] is None or {is_old}
task = Task("res", "lab", "lab", [], [], Input("a", path=sys.prefix), Options())
calls = [
    lambda: expansion.expand([], "lab"),
    lambda: expansion.serialised([]),
    lambda: inputs.inputs_of(sys.prefix),
    lambda: inputs.load(Input("a", path=sys.prefix)),
    lambda: compute.compute(task),
    lambda: integration.record(None, "nowhere", name="lab"),
    lambda: integration.to_predictions("nowhere"),
    lambda: integration.use_workspaces(),
    lambda: integration.export_store("nowhere", "lab", "elsewhere"),
]
for call in calls:
    try:
        call()
    except ImportError as error:
        print(error)
"""
OLD = "import types\nsys.modules['nirs4all'] = types.SimpleNamespace(__version__='0.6.2')"


def said(place, is_old):
    code = PROBE.format(place=place, is_old=is_old)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_without_it_each_function_says_what_to_install():
    lines = said("import importlib.abc\n" + BLOCK, False)
    assert lines == [f"nirs4all is not installed: {SAYS}"] * 9


def test_an_old_one_is_told_from_the_one_that_is_needed():
    assert said(OLD, True) == [f"expected nirs4all 1.4, found 0.6.2: {SAYS}"] * 9


BLOCK = """
class Blocked(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "nirs4all":
            raise ModuleNotFoundError("No module named 'nirs4all'", name="nirs4all")
sys.meta_path.insert(0, Blocked())
"""


def test_importing_the_integration_imports_no_nirs4all():
    code = (
        "import sys, nirs4all_workspace.integrations.nirs4all as integration\n"
        "integration.record\n"
        "print([name for name in sys.modules if name.partition('.')[0] in ('nirs4all', 'sklearn')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
