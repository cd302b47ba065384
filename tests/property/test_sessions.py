"""Sequences of calls of nirs4all 0.6 come back as the sessions that they were."""

import copy
import random
import shutil

import nirs4all_workspace as n4w
import old_runs
from hypothesis import given
from hypothesis import strategies as st
from nirs4all_workspace.values.canonical import content_id
from old_runs import Call

SNV, MSC = "nirs4all.SNV", {"class": "nirs4all.MSC", "params": {"scale": True}}
SAVGOL = {"class": "nirs4all.SavitzkyGolay", "params": {"window": 11}}
# Templates: steps with a hole for what a generator chooses, and what it chooses from.
TEMPLATES = [
    (["Scaler", "HOLE", {"model": "PLS"}], "_or_", [SNV, MSC, SAVGOL]),
    # A choice that stands elsewhere in the steps too.
    ([SNV, "HOLE", {"model": "PLS"}], "_or_", [SNV, MSC]),
    (["Scaler", {"model": {"class": "PLS", "params": {"n": "HOLE"}}}], "_range_", [2, 4, 6]),
    (["Scaler", {"model": "Forest"}], None, []),
    ([MSC, {"model": {"class": "PLS", "params": {"n": 3}}}], None, []),
]
NAMES = ["config", "Protein sweep", "2026_01", "a_abcdef", "Ä ümläut", "x" * 60, "日本"]


def fill(steps, choice):
    if steps == "HOLE":
        return copy.deepcopy(choice)
    if isinstance(steps, list):
        return [fill(item, choice) for item in steps]
    if isinstance(steps, dict):
        return {key: fill(value, choice) for key, value in steps.items()}
    return steps


def configs(template, chosen):
    steps, keyword, choices = TEMPLATES[template]
    if keyword is None:
        return [(steps, [])]
    return [(fill(steps, choices[n]), [{keyword: choices[n]}]) for n in chosen if n < len(choices)]


@st.composite
def sequences(draw):
    calls = []
    for _ in range(draw(st.integers(1, 6))):
        template = draw(st.integers(0, len(TEMPLATES) - 1))
        chosen = draw(st.lists(st.integers(0, 2), min_size=1, max_size=3, unique=True))
        found = configs(template, chosen) or configs(template, [0])
        datasets = draw(
            st.lists(st.sampled_from(["wheat", "rye", "oats 1"]), min_size=1, max_size=3, unique=True)
        )
        calls.append(
            (
                template,
                Call(
                    draw(st.sampled_from(NAMES)),
                    datasets,
                    found,
                    draw(st.lists(st.integers(1, 599), min_size=1, max_size=4)),
                    draw(st.booleans()),
                ),
            )
        )
    return calls


def separate(calls):
    """Leave out calls that nothing tells from the one before: same name, same template, no result twice."""
    kept = []
    for template, call in calls:
        if kept:
            before_template, before = kept[-1]
            pairs = {(dataset, old_runs.config_hash(steps)) for dataset, (steps, _) in call.pairs()}
            first = next(iter(call.pairs()))
            earlier = {(dataset, old_runs.config_hash(steps)) for dataset, (steps, _) in before.pairs()}
            repeats = (first[0], old_runs.config_hash(first[1][0])) in earlier
            if call.name == before.name and template == before_template and not repeats:
                if TEMPLATES[template][1] is None and not pairs & earlier:
                    call.before = 600  # a pause of more than ten minutes tells them apart
                else:
                    continue
        kept.append((template, call))
    return [call for _, call in kept]


@given(calls=sequences(), seed=st.integers(0, 2**32))
def test_calls_come_back(tmp_path_factory, calls, seed):
    calls = separate(calls)
    root = tmp_path_factory.mktemp("old")
    old_runs.write(root, calls, numbers=random.Random(seed))
    ws = n4w.Workspace.open(root)
    sessions = ws.runs.list()
    assert sessions.errors == []
    assert [[item["uid"] for item in run.manifests] for run in sessions] == [call.uids for call in calls]
    for run, call in zip(sessions, calls, strict=True):
        assert (run.kind, run.name, run.status) == ("session", call.name, "failed")  # no rows
        steps = [steps for steps, _ in call.configs]
        ids = [content_id("cfg", item) for item in steps]
        by_hash = {old_runs.config_hash(item): content_id("cfg", item) for item in steps}
        assert {item["config_id"] for item in run.manifests} == set(ids)
        assert {config["config_id"] for config in run.configs()} == set(by_hash.values())
        assert run.templates[0]["id"] == content_id("tpl", run.steps)
        assert run.templates[0]["expansion_count"] == len(by_hash)
    shutil.rmtree(root)
