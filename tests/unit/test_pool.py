"""Tasks give values or failures, whatever computes them: this process, others, or an executor."""

import os
import threading
import time
from collections import Counter
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing
from functools import partial

import computing
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nirs4all_workspace.integrations.nirs4all.pool import Failure, PoolError, outcomes

WAYS = {
    "here": dict,
    "one process": lambda: {"timeout": 60},
    "two processes": lambda: {"workers": 2},
    "threads": lambda: {"executor": ThreadPoolExecutor(2)},
    "executor of processes": lambda: {"executor": ProcessPoolExecutor(2)},
}
IN_PROCESSES = ["one process", "two processes"]


def computed(tasks, function=computing.do, **options):
    """What became of each task, by task."""
    return {repr(task): value for task, value in outcomes(function, tasks, **options)}


@pytest.fixture(params=WAYS)
def way(request):
    """Each way to compute."""
    options = WAYS[request.param]()
    yield options
    if "executor" in options:
        options["executor"].shutdown()


def test_every_task_comes_back_with_its_value(way):
    found = list(outcomes(computing.do, (("square", number) for number in range(20)), **way))
    assert sorted(found) == [(("square", number), number * number) for number in range(20)]


def test_without_tasks_nothing_is_started(way):
    assert list(outcomes(computing.do, [], **way)) == []


def test_what_raises_is_a_failure_with_its_traceback(way):
    found = computed([("raise",), ("square", 3)], **way)
    assert found["('square', 3)"] == 9
    failure = found["('raise',)"]
    assert (failure.kind, failure.message) == ("raised", "ValueError: no such wavelength")
    assert "_raise(ValueError(" in failure.traceback
    assert failure.traceback.startswith("Traceback")


def test_exceptions_without_text_that_cannot_be_pickled_are_told(way):
    (failure,) = computed([("no text",)], **way).values()
    assert failure.kind == "raised"
    assert failure.message.startswith("NoTextError")


@pytest.mark.parametrize("name", IN_PROCESSES)
@pytest.mark.parametrize("task", [("exit", 3), ("exit", None), ("interrupt",)])
def test_a_task_that_exits_or_interrupts_is_a_failure(name, task):
    found = computed([task, ("square", 2)], **WAYS[name]())
    assert found["('square', 2)"] == 4
    assert found[repr(task)].kind == "raised"


@pytest.mark.parametrize("name", IN_PROCESSES)
def test_what_cannot_be_pickled_is_a_failure(name):
    unpicklable = ("takes", [lambda: None])
    tasks = [unpicklable, ("wild", "pickled"), ("wild", "unpickled"), ("square", 2)]
    found = {id(task): value for task, value in outcomes(computing.do, tasks, **WAYS[name]())}
    assert [found[id(task)].kind for task in tasks[:3]] == ["raised"] * 3
    assert ["cannot be pickled" in found[id(task)].message for task in tasks[:2]] == [True, True]
    assert "cannot be unpickled" in found[id(tasks[2])].message
    assert found[id(tasks[3])] == 4


def test_what_an_executor_could_not_send_back_is_a_failure():
    tasks = [("wild", "pickled"), ("wild", "unpickled"), ("no text",), ("square", 2)]
    with ProcessPoolExecutor(1) as executor:
        found = dict(outcomes(computing.do, tasks, executor=executor))
    assert [found[task].kind for task in tasks[:3]] == ["raised"] * 3
    assert "cannot be pickled" in found[tasks[0]].message
    assert "cannot be unpickled" in found[tasks[1]].message
    assert found[tasks[3]] == 4


def test_a_task_that_cannot_be_unpickled_is_a_failure():
    found = dict(outcomes(computing.do, [("takes", (computing.Wild("unpickled"),))][:1], workers=1)).values()
    assert [(value.kind, "cannot be unpickled" in value.message) for value in found] == [("raised", True)]


def test_large_values_go_both_ways():
    size = 30_000_000
    ((_, there),) = outcomes(computing.do, [("takes", b"y" * size)], workers=1)
    ((_, back),) = outcomes(computing.do, [("bytes", size)], workers=1)
    assert (there, back) == (size, b"x" * size)


@given(
    st.lists(st.tuples(st.sampled_from(["square", "raise"]), st.integers(-5, 5)), max_size=30),
    st.sampled_from(["here", "threads"]),
)
def test_each_task_comes_back_once_whatever_the_order(kinds, name):
    tasks = [(kind, number) if kind == "square" else (kind,) for kind, number in kinds]
    options = WAYS[name]()
    found = list(outcomes(computing.do, iter(tasks), **options))
    assert Counter(task for task, _ in found) == Counter(tasks)
    for task, value in found:
        assert value == task[1] ** 2 if task[0] == "square" else value.kind == "raised"
    if "executor" in options:
        options["executor"].shutdown()


# --- stopping


def test_when_it_should_stop_no_more_tasks_are_taken(way):
    taken, stop = [], threading.Event()

    def tasks():
        for number in range(10_000):
            taken.append(number)
            yield ("square", number)

    found = []
    for task, value in outcomes(computing.do, tasks(), should_stop=stop.is_set, **way):
        found.append((task, value))
        if len(found) == 5:
            stop.set()
    assert 5 <= len(found) <= len(taken) < 60
    assert all(value == task[1] ** 2 for task, value in found)


def test_a_function_that_takes_it_is_told_to_stop_here():
    def function(task, should_stop=None):
        return task, should_stop()

    assert list(outcomes(function, [1], should_stop=lambda: False)) == [(1, (1, False))]
    assert list(outcomes(function, [1], should_stop=lambda: True)) == []


def test_interrupts_pass_here():
    with pytest.raises(KeyboardInterrupt):
        list(outcomes(computing.do, [("interrupt",)]))


# --- executors


class Counting(Executor):
    """Computes nothing until asked, and counts."""

    _max_workers = 3

    def __init__(self):
        self.waiting, self.most, self.cancelled = [], 0, 0

    def submit(self, function, /, *arguments):
        future = Future()
        self.waiting.append((future, function, arguments))
        self.most = max(self.most, sum(not it.done() for it, _, _ in self.waiting))
        if len(self.waiting) % 2 == 0:
            self.compute(self.waiting[-2])
        return future

    def compute(self, one):
        future, function, arguments = one
        if future.set_running_or_notify_cancel():
            future.set_result(function(*arguments))

    def finish(self):
        for one in self.waiting:
            if not one[0].done():
                self.compute(one)


def test_a_bounded_number_is_submitted_ahead():
    executor = Counting()
    timer = threading.Timer(0.2, executor.finish)
    tasks = (("square", number) for number in range(1_000))
    with closing(outcomes(computing.do, tasks, executor=executor)) as found:
        for _ in range(5):
            next(found)
        assert len(executor.waiting) <= 12
    assert executor.most <= 6
    assert all(future.done() for future, _, _ in executor.waiting)
    timer.cancel()


def test_an_executor_cancels_what_was_submitted_and_leaves_what_runs():
    release, running = threading.Event(), threading.Semaphore(0)

    def function(_):
        running.release()
        release.wait(60)

    with ThreadPoolExecutor(2) as executor:
        before = executor.submit(int)
        before.result()
        stop = threading.Event()
        threading.Thread(target=lambda: (running.acquire(), running.acquire(), stop.set())).start()
        assert list(outcomes(function, range(100), executor=executor, should_stop=stop.is_set)) == []
        assert executor._work_queue.qsize() <= 2
        assert not release.is_set()
        release.set()
    assert not running.acquire(blocking=False)


def test_a_broken_executor_is_an_error_after_the_outcomes_there_are():
    tasks = [("square", 1), ("square", 2), ("die", 3), ("square", 3)]
    with ProcessPoolExecutor(1) as executor:
        found = outcomes(computing.do, tasks, executor=executor)
        values = [next(found)[1], next(found)[1]]
        with pytest.raises(PoolError, match="resume") as caught:
            values.extend(value for _, value in found)
    assert sorted(values) == [1, 4]
    assert not isinstance(caught.value, BrokenExecutor)


def test_an_executor_that_was_shut_down_is_an_error():
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    with pytest.raises(PoolError, match="shutdown"):
        list(outcomes(computing.do, [("square", 1)], executor=executor))


def test_what_an_executor_cannot_pickle_is_a_failure():
    with ProcessPoolExecutor(1) as executor:
        found = list(outcomes(computing.do, [("takes", [lambda: None]), ("square", 2)], executor=executor))
    assert sorted(type(value).__name__ for _, value in found) == ["Failure", "int"]


class KilledWorker(Exception):  # noqa: N818 - as Dask names it
    """What Dask says of a task whose processes died."""


def test_processes_of_a_cluster_that_die_are_told_as_deaths():
    class Cluster(Executor):
        def submit(self, *_):
            future = Future()
            future.set_exception(KilledWorker("died 4 times"))
            return future

    ((_, failure),) = outcomes(computing.do, [("square", 1)], executor=Cluster())
    assert failure.kind == "died"


# --- arguments


@pytest.mark.parametrize(
    ("options", "error", "names"),
    [
        ({"workers": -1}, ValueError, "workers"),
        ({"workers": True}, TypeError, "workers"),
        ({"workers": 1.5}, TypeError, "workers"),
        ({"timeout": 0}, ValueError, "timeout"),
        ({"timeout": float("nan")}, ValueError, "timeout"),
        ({"executor": "dask"}, TypeError, "get_executor"),
        ({"executor": Counting(), "timeout": 3}, ValueError, "timeout"),
        ({"executor": Counting(), "workers": 3}, ValueError, "workers"),
    ],
)
def test_wrong_options_are_refused_at_once(options, error, names):
    with pytest.raises(error, match=names):
        outcomes(computing.do, [], **options)


# --- processes


def test_all_processes_compute():
    found = computed([("pid", number) for number in range(60)], workers=2)
    assert len(set(found.values())) == 2
    assert os.getpid() not in found.values()
    assert not any(computing.is_alive(pid) for pid in found.values())


def test_processes_have_few_threads_and_this_one_keeps_its_environment(monkeypatch):
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("MKL_NUM_THREADS", "4096")
    for name in (names[1], names[3]):
        monkeypatch.delenv(name, raising=False)
    before = dict(os.environ)
    each = str(max(1, len(os.sched_getaffinity(0)) // 2))
    (found,) = computed([("environment", *names)], workers=2).values()
    assert found == dict(zip(names, ["1", each, each, each], strict=True))
    assert dict(os.environ) == before
    # Itself and the one that watches its owner.
    (threads,) = computed([("blas",)], workers=len(os.sched_getaffinity(0))).values()
    assert threads == 2


def test_processes_lead_a_group_and_ignore_interrupts():
    found = computed([("group",), ("pid",), ("interrupts",)], workers=1)
    assert found["('group',)"] == found["('pid',)"]
    assert found["('interrupts',)"]


@pytest.mark.parametrize("function", [lambda task: task, partial(lambda task: task)])
def test_a_function_that_others_cannot_import_is_one_error(function):
    with pytest.raises(PoolError, match="of a module"):
        list(outcomes(function, [1, 2, 3], workers=2))


def test_a_consumer_that_raises_ends_them():
    pids = []

    def consume():
        for _, pid in outcomes(computing.do, (("pid", number) for number in range(1_000)), workers=2):
            pids.append(pid)
            if len(set(pids)) == 2:
                raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        consume()
    assert not any(computing.is_alive(pid) for pid in pids)


def test_tasks_that_raise_end_them():
    def tasks():
        yield ("pid", 1)
        yield ("pid", 2)
        raise RuntimeError("no more")

    pids = []
    with pytest.raises(RuntimeError, match="no more"):
        pids.extend(pid for _, pid in outcomes(computing.do, tasks(), workers=2))
    assert not any(computing.is_alive(pid) for pid in pids)


def test_a_slow_consumer_times_nothing_out():
    found = []
    for _, value in outcomes(
        computing.do, [("square", 1), ("square", 2), ("square", 3)], workers=2, timeout=1
    ):
        found.append(value)
        time.sleep(1.2)
    assert sorted(found) == [1, 4, 9]
    assert Failure not in map(type, found)
