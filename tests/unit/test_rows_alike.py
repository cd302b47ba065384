"""Rows given as dicts are counted alike whether or not their keys lie where those of the row before did."""

import collections
import datetime
import itertools
import random
import threading
import zoneinfo

import numpy as np
import pytest
from agreement import check_summary, timeless
from nirs4all_workspace import SummaryAccumulator
from oracle import summarise
from samples import table
from strategies import frame

UTC = datetime.UTC
PARIS, LONDON = zoneinfo.ZoneInfo("Europe/Paris"), zoneinfo.ZoneInfo("Europe/London")
INDIA = datetime.timezone(datetime.timedelta(hours=5, minutes=30))
NEW = datetime.datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def added(rows, made=None):
    made = made or SummaryAccumulator()
    for row in rows:
        made.add(row)
    return made


def check(given, meant=None):
    """Of dicts of any kind what Polars finds for plain ones."""
    check_summary(added(given).summary(), summarise(frame(meant or given)), 1e-9)


def some(rows=90, **columns):
    content = table(rows, **columns).to_pylist()
    for at, row in enumerate(content):
        row |= {"run_id": f"run_{at // 40}", "branch_id": None, "branch_name": "", "created_at": None}
    return content


def reordered(row, seed):
    keys = list(row)
    random.Random(seed).shuffle(keys)
    return {key: row[key] for key in keys}


def test_keys_in_one_order_and_in_many():
    rows = some()
    check(rows)
    check([reordered(row, at) for at, row in enumerate(rows)], rows)
    check([reordered(row, at // 10) for at, row in enumerate(rows)], rows)
    check([reordered(row, at % 2) for at, row in enumerate(rows)], rows)


def test_other_keys_around_and_in_place_of_known_ones():
    rows = some()
    check([{"x": 1, **row, "y": [2]} for row in rows], rows)
    check([{"x" * (at % 3): 1, **row, "y": [2]} for at, row in enumerate(rows)], rows)
    # As many keys at the same places, of which one is another.
    for key in rows[0]:
        without = [
            {("other" if name == key and at % 3 == 2 else name): value for name, value in row.items()}
            for at, row in enumerate(rows)
        ]
        check(without, [{name: row.get(name) for name in rows[0]} for row in without])


@pytest.mark.parametrize("gone", ["val_score", "metric", "partition", "run_id", "config_name", "id"])
def test_a_key_that_comes_and_goes(gone):
    rows = some()
    for at, row in enumerate(rows):
        if at % 4 < 2:
            del row[gone]
    check(rows, [{gone: None, **row} for row in rows])


def test_a_key_that_was_missing_takes_the_place_of_another():
    first = {"metric": "rmse", "val_score": 1.0, "other": "left"}
    then = {"metric": "rmse", "val_score": 2.0, "branch_name": "left"}
    made = added([first, first, first, then, then])
    assert made.summary()["branch_count"] == 1
    made = added([first, first, then, first])
    assert made.summary()["branch_count"] == 1
    assert added([first] * 4).summary()["branch_count"] == 0


def test_empty_dicts():
    assert added([{}, {}, {"metric": "rmse"}, {}]).summary()["total_predictions"] == 4


def test_equal_keys_that_are_other_objects():
    rows = some()
    copies = [{"".join(list(key)): value for key, value in row.items()} for row in rows]
    assert next(iter(copies[0])) is not next(iter(copies[1]))
    check(copies, rows)
    check([copies[at] if at % 2 else row for at, row in enumerate(rows)], rows)


def test_keys_of_other_types():
    class Name(str):
        __slots__ = ()

    class Same:
        """Equal to a text, and found in its place."""

        def __hash__(self):
            return hash("val_score")

        def __eq__(self, other):
            return other == "val_score"

    rows = some()
    check([{Name(key): value for key, value in row.items()} for row in rows], rows)
    check([{1: 2, None: 3, ("a",): 4, **row} for row in rows], rows)
    odd = [{(Same() if key == "val_score" else key): value for key, value in row.items()} for row in rows]
    check(odd, rows)
    check([one if at % 3 else other for at, (one, other) in enumerate(zip(rows, odd, strict=True))], rows)


def test_subclasses_of_dict_are_read_as_what_they_hold():
    class Odd(dict):
        def __missing__(self, key):
            return "made up"

        def get(self, _key, _default=None):
            return "overridden"

        __getitem__ = get

        def keys(self):
            return []

        def __len__(self):
            return 0

    rows = some()
    for row in rows[::2]:
        del row["task_type"]
    for kind in (Odd, collections.OrderedDict, collections.defaultdict):
        given = [kind(str, row) if kind is collections.defaultdict else kind(row) for row in rows]
        check(given, [{"task_type": None, **row} for row in rows])
        assert all(len(list(dict.keys(one))) == len(row) for one, row in zip(given, rows, strict=True))


def test_attributes_of_objects():
    """Their dicts share their keys, until one is given others."""

    class Prediction:
        def __init__(self, row):
            for key, value in row.items():
                setattr(self, key, value)

    rows = some()
    objects = [Prediction(row) for row in rows]
    check([vars(one) for one in objects], rows)
    for at, one in enumerate(objects):
        if at % 3 == 0:
            one.extra = at
        if at % 3 == 1:
            del one.val_score
            one.val_score = rows[at]["val_score"]
    check([vars(one) for one in objects], rows)


def test_one_dict_that_is_changed_between_rows():
    rows = some()
    row, made, rng = {}, SummaryAccumulator(), random.Random(3)
    for wanted in rows:
        for key in wanted:
            if rng.random() < 0.2:
                row.pop(key, None)
            row[key] = wanted[key]
        if rng.random() < 0.2:
            row.pop("extra", None)
            row["extra"] = object()
        made.add(row)
    check_summary(made.summary(), summarise(frame(rows)), 1e-9)


def test_values_that_are_not_plain_among_those_that_are():
    class Text(str):
        __slots__ = ()

        def __str__(self):
            return "other"

    rows = some()
    for at, row in enumerate(rows):
        row["fold_id"] = at % 4
        row["branch_id"] = at % 3
    given = [dict(row) for row in rows]
    meant = [row | {"fold_id": str(row["fold_id"])} for row in rows]
    check(given, meant)
    for at, row in enumerate(given):
        row["fold_id"] = (str, int, np.int64, np.str_, Text)[at % 5](row["fold_id"])
        row["val_score"] = (float, np.float64, np.float32)[at % 3](row["val_score"])
        meant[at]["val_score"] = float(row["val_score"])
    check(given, meant)


@pytest.mark.parametrize(
    "column", ["config_name", "run_id", "dataset_name", "model_name", "fold_id", "metric"]
)
@pytest.mark.parametrize(
    "names", [["a", "b", "a"], ["", None, ""], ["a", None, "a", "b"], ["ab", "a", "abc"]]
)
def test_names_that_come_again(column, names):
    rows = [row | {column: name} for row, name in zip(some(), itertools.cycle(names), strict=False)]
    check(rows)


def test_more_names_than_are_counted_exactly():
    """What is remembered of the last name never hides a new one."""
    rows = [{"config_name": f"c{at // 2}", "run_id": f"r{at // 3}", "metric": "rmse"} for at in range(6_000)]
    facets = added(rows).summary()["facets"]
    assert facets["n_runs"] == len({row["run_id"] for row in rows})
    assert facets["n_configs"] == len({row["config_name"] for row in rows})


def test_reading_and_merging_between_rows():
    rows = some(120)
    made, other = SummaryAccumulator(), SummaryAccumulator()
    for at, row in enumerate(rows):
        (other if at % 5 == 0 else made).add(row)
        if at % 7 == 0:
            made.merge(other)
            other = SummaryAccumulator()
        if at % 11 == 0:
            made.summary()
            assert SummaryAccumulator.from_bytes(made.to_bytes()).to_bytes() == made.to_bytes()
    made.merge(other)
    check_summary(made.summary(), summarise(frame(rows)), 1e-9)


def test_errors_add_nothing_and_are_the_same_ones():
    row = some(1)[0] | {"partition": "val", "created_at": NEW}
    made = added([row] * 3)
    before = made.to_bytes()
    later = {"created_at": NEW + datetime.timedelta(days=1)}
    for change, error in [
        ({"val_score": "0.5"}, TypeError),
        ({"model_name": "\ud800"}, UnicodeEncodeError),
        ({"id": "\ud800", "val_score": -1.0} | later, UnicodeEncodeError),
        ({"created_at": 5}, TypeError),
        ({"created_at": datetime.timedelta(1)}, TypeError),
    ]:
        with pytest.raises(error):
            made.add(row | change)
        assert made.to_bytes() == before
    # The time of the refused row is still a new one.
    made.add(row | later)
    latest = made.summary()["date_range"]["latest"]
    assert datetime.datetime.fromisoformat(latest) == later["created_at"]


class Wandering(datetime.tzinfo):
    """Code of Python that adds rows while a row is added."""

    made = None

    def __repr__(self):
        return "wandering"

    def utcoffset(self, _when):
        if self.made is not None:
            made, self.made = self.made, None
            made.add({"metric": "rmse", "val_score": 1.0})
            made.summary()
        return datetime.timedelta(hours=3)

    def dst(self, _when):
        return None

    def tzname(self, _when):
        return "wandering"


def instants(times):
    utc = [time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC) for time in times]
    return min(utc), max(utc)


@pytest.mark.parametrize(
    "zones",
    [
        [UTC],
        [zoneinfo.ZoneInfo("UTC")],
        [INDIA],
        [PARIS],
        [None],
        [UTC, INDIA],
        [PARIS, LONDON, UTC],
        [UTC, None],
        [UTC, Wandering(), datetime.timezone(datetime.timedelta(seconds=90))],
        [zoneinfo.ZoneInfo("UTC"), zoneinfo.ZoneInfo.no_cache("UTC"), zoneinfo.ZoneInfo("Etc/GMT+5"), INDIA],
    ],
    ids=str,
)
def test_times_in_any_zones(zones):
    """Around the hour that Paris and London have twice, with both of its folds."""
    rng = random.Random(5)
    for _ in range(30):
        times, made = [], SummaryAccumulator()
        for at in range(12):
            clock = NEW.replace(tzinfo=None) + datetime.timedelta(minutes=rng.randrange(300), microseconds=at)
            times.append(clock.replace(tzinfo=rng.choice(zones), fold=rng.randrange(2)))
            row = {"metric": "rmse", "created_at": times[-1]}
            made.add(row)
            told = made.summary()["date_range"] if rng.random() < 0.5 or at == 11 else None
            if told:
                found = tuple(datetime.datetime.fromisoformat(told[end]) for end in ("earliest", "latest"))
                assert found == instants(times)


def test_times_of_every_kind_in_turn():
    class Stamp(datetime.datetime):
        def isoformat(self, *_args, **_kwargs):
            return "2020-01-01T00:00:00+00:00"

    kinds = [
        lambda time: time,
        lambda time: time.isoformat(),
        lambda time: time.replace(tzinfo=None),
        lambda _: None,
        lambda _: Stamp(1990, 1, 1, tzinfo=UTC),
        lambda _: "nonsense",
    ]
    rng = random.Random(6)
    for _ in range(20):
        made = SummaryAccumulator()
        meant = []
        for _ in range(20):
            time = NEW + datetime.timedelta(seconds=rng.randrange(10**6))
            kind = rng.randrange(len(kinds))
            row = {"metric": "rmse", "created_at": kinds[kind](time)}
            if row["created_at"] == "nonsense":
                with pytest.raises(ValueError, match="created_at"):
                    made.add(row)
                continue
            made.add(row)
            meant += [[time], [time], [time], [], [datetime.datetime(2020, 1, 1, tzinfo=UTC)]][kind]
        told = made.summary()["date_range"]
        if meant:
            found = tuple(datetime.datetime.fromisoformat(told[end]) for end in ("earliest", "latest"))
            assert found == instants(meant)


@pytest.mark.parametrize("zone", [UTC, INDIA, zoneinfo.ZoneInfo("UTC")], ids=str)
def test_times_that_rise_and_fall_are_kept_to_the_microsecond(zone):
    years = [2026, 2025, 1971, 1969, 1600, 2, 2100, 9998]
    times = [
        datetime.datetime(year, 12, 31, 23, 59, 59, micros, zone)
        for year in years
        for micros in (123_457, 0, 999_999)
    ]
    made = SummaryAccumulator()
    for at, time in enumerate(times):
        made.add({"metric": "rmse", "created_at": time})
        told = made.summary()["date_range"]
        found = tuple(datetime.datetime.fromisoformat(told[end]) for end in ("earliest", "latest"))
        assert found == instants(times[: at + 1])


@pytest.mark.parametrize("column", ["fold_id", "branch_id"])
def test_integers_of_any_size_as_names(column):
    numbers = [0, -1, 7, 2**62, -(2**63), 2**63, 10**30, True, 7]
    rows = [{"metric": "rmse", "id": str(at), column: number} for at, number in enumerate(numbers)]
    written = ["true" if number is True else str(number) for number in numbers]
    summary = added(rows).summary()
    count = summary["facets"]["n_folds"] if column == "fold_id" else summary["branch_count"]
    assert count == len(set(written))
    if column == "fold_id":
        assert sorted(summary["facets"]["folds"]) == sorted(set(written))


def test_a_zone_that_adds_rows_itself():
    zone, made = Wandering(), SummaryAccumulator()
    for at in range(6):
        zone.made = made
        made.add(
            {"metric": "rmse", "val_score": 2.0, "created_at": NEW.replace(tzinfo=zone if at % 2 else UTC)}
        )
    zone.made = None
    assert made.summary()["total_predictions"] == 6 + 3


def test_a_zone_that_takes_the_values_away():
    class Thief(Wandering):
        row = None

        def utcoffset(self, _when):
            if self.row is not None:
                self.row.clear()
            return datetime.timedelta(0)

    zone, made = Thief(), SummaryAccumulator()
    for at in range(60):
        row = {"metric": "".join(["rm", "se"]), "model_name": f"model {at}", "created_at": NEW}
        if at % 3 == 2:
            row["created_at"] = NEW.replace(tzinfo=zone)
            zone.row = row
        made.add(row)
    assert len(made) == 60


def test_threads_that_add_to_one():
    rows = some(600)
    made = SummaryAccumulator()

    def work(part):
        for at in range(part, len(rows), 4):
            made.add(rows[at] if part % 2 else reordered(rows[at], at % 3))

    threads = [threading.Thread(target=work, args=(part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check_summary(made.summary(), summarise(frame(rows)), 1e-9)


def test_alike_or_not_the_state_is_the_same():
    """To the last bit, as rows that are looked up one by one and rows that are not are the same rows."""
    rows = some(3_000)
    plain = added(rows)
    looked_up = added([collections.OrderedDict({**row, at: None}) for at, row in enumerate(rows)])
    assert plain.to_bytes() == looked_up.to_bytes()
    assert timeless(plain.summary()) == timeless(looked_up.summary())
