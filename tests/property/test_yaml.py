"""YAML as the native module reads it, against PyYAML's safe loader."""

import math
import random
from datetime import UTC, date, datetime, timedelta, timezone

import nirs4all_workspace as n4w
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from nirs4all_workspace import _native

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


@pytest.fixture(scope="module")
def parse(tmp_path_factory):
    path = tmp_path_factory.mktemp("yaml") / "file.yaml"

    def parse(content):
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        return _native.read_yaml(path)

    return parse


def same(one, other):
    """Equal in type, value and order of keys; NaN equals NaN."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return len(one) == len(other) and all(
            same(a, b)
            for item, its in zip(one.items(), other.items(), strict=True)
            for a, b in zip(item, its, strict=True)
        )
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and math.isnan(one):
        return math.isnan(other)
    if isinstance(one, datetime):
        return one.isoformat() == other.isoformat()
    return one == other and (not isinstance(one, float) or math.copysign(1, one) == math.copysign(1, other))


# What YAML 1.1 takes for something else than the text that it looks like.
TRICKY = [
    r"yes",
    r"No",
    r"ON",
    r"off",
    r"y",
    r"n",
    r"true",
    r"TRUE",
    r"tRue",
    r"null",
    r"Null",
    r"~",
    r"NULL",
    r"nUll",
    r"<<",
    r"=",
    r"-",
    r".",
    r"..",
    r"---",
    r"...",
    r"1",
    r"-1",
    r"+1",
    r"0",
    r"-0",
    r"00",
    r"010",
    r"08",
    r"0o17",
    r"0x1F",
    r"0X1F",
    r"0b101",
    r"0b",
    r"0x",
    r"0b_",
    r"0x_",
    r"1_000",
    r"_1",
    r"1__",
    r"0_",
    r"1e5",
    r"1e-5",
    r"1.0e5",
    r"1.0e+5",
    r"1.5E-3",
    r".5",
    r"-.5",
    r"+.5",
    r".5e-3",
    r".",
    r"1.",
    r"1._",
    r"-1.",
    r".inf",
    r"-.inf",
    r"+.Inf",
    r".INF",
    r".nan",
    r".NaN",
    r"-.nan",
    r".5_",
    r"1:30",
    r"1:60",
    r"190:20:30",
    r"-190:20:30",
    r"190:20:30.15",
    r"1:5",
    r"0:0",
    r"1:99",
    r"2001-12-14",
    r"2001-1-1",
    r"2001-13-01",
    r"2001-02-30",
    r"2001-12-14t21:59:43.10-05:00",
    r"2001-12-14",
    r"2001-12-15T02:59:43.1Z",
    r"12345678901234567890",
    r"-12345678901234567890",
    r"9223372036854775807",
    r"-9223372036854775808",
    r"0x8000000000000000",
    r"1.7976931348623157e+308",
    r"5e-324",
    r"a:b",
    r"a:",
    r"#b",
    r"a#b",
    r"@a",
    r"`a",
    r"&a",
    r"*a",
    r"!a",
    r"%a",
    r"|a",
    r">a",
    r"[a",
    r"{a",
    r"a]",
    r"a}",
    r",",
    r",a",
    r"?a",
    r"?",
    r"-a",
    r"'a",
    r'"a',
    r"é",
    r"日本",
    r"a'b",
    r"a''b",
    r"2001-12-14T21:59:43.123456789Z",
    r"0000-01-01",
    r"1e",
    r"1.2.3",
    r"1,2",
    r"+-",
    r"0.0",
    r"-0.0",
    r"0.1_5",
    r"1:2:3.4",
    r"infinity",
    r"nan",
    r"inf",
]
TRICKY += ["2001-12-14 21:59:43.10 -5", "2001-12-14 21:59:43", "a b", " a", "a ", "a\nb", "a\n", "\n", "\ta"]
TRICKY += ["a\tb", "", " ", "a: b", "- a", "a #b", "a\n\nb\n\n", "  a\n b", "# a", "\x07", "\x85", "\u2028"]
TRICKY += ["\ufeff", "\U0001f600", "a\r\nb"]

texts = st.one_of(st.sampled_from(TRICKY), st.text(st.characters(codec="utf-8"), max_size=20))
zones = st.sampled_from([None, UTC, timezone(timedelta(hours=-5)), timezone(timedelta(hours=5, minutes=30))])
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**80), 2**80),
    st.floats(),
    texts,
    st.dates(),
    st.datetimes(timezones=zones),
)
keys = st.one_of(texts, st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.dates())
mappings = st.dictionaries(
    keys,
    st.recursive(
        scalars,
        lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=4)),
        max_leaves=12,
    ),
    max_size=6,
)
styles = st.fixed_dictionaries(
    {
        "default_flow_style": st.sampled_from([None, True, False]),
        "default_style": st.sampled_from([None, None, None, '"', "'", "|", ">"]),
        "width": st.sampled_from([20, 80, 110, 10_000]),
        "indent": st.sampled_from([None, 4, 7]),
        "allow_unicode": st.booleans(),
        "explicit_start": st.booleans(),
        "explicit_end": st.booleans(),
        "sort_keys": st.just(False),
        "line_break": st.sampled_from([None, "\r\n"]),
    }
)


@given(mapping=mappings, style=styles)
def test_what_pyyaml_dumps_is_read_alike(parse, mapping, style):
    text = yaml.dump(mapping, Dumper=DUMPER, **style)
    try:
        expected = yaml.load(text, Loader=LOADER)
    except (yaml.YAMLError, ValueError, TypeError):
        return  # PyYAML cannot read all that it writes
    try:
        found = parse(text)
    except n4w.CorruptFileError as error:
        # These end lines in YAML 1.1 and do not in 1.2; records are written without them.
        if not any(character in text for character in "\x85\u2028\u2029"):
            raise AssertionError(text) from error
    else:
        assert same(found, expected), text


# What PyYAML reads and this refuses: a dash in braces, and characters that must be escapes.
REFUSED = {"-", "?", "?a", "\x85", "\u2028", "\ufeff", "a\r\nb"}


@pytest.mark.parametrize("plain", TRICKY)
def test_plain_scalars_mean_what_yaml_1_1_says(parse, plain):
    for text in (
        f"a: {plain}\nb: 1\n",
        f"a:\n- {plain}\n- 2\n",
        f"a: {{k: {plain}}}\n",
        f"a: !!str {plain}\n",
    ):
        try:
            expected = yaml.load(text, Loader=LOADER)
        except (yaml.YAMLError, ValueError):
            continue  # YAML 1.2 allows more than 1.1
        try:
            found = parse(text)
        except n4w.CorruptFileError:
            assert plain in REFUSED, text
        else:
            assert same(found, expected), (text, expected)


SEEDS = [
    "a: 1\nb:\n- x\n- y: 2\n  z: 'q''r'\nc: {d: [e, f], g: \"h\\n\"}\n",
    "k: |\n  text\n   more\nl: >-\n  folded\n  text\n\n  para\nm: &anchor [1, 2]\nn: *anchor\n",
    "base: &b {x: 1, y: 2}\nderived:\n  <<: *b\n  y: 3\nlist:\n  - <<: [*b, {z: 4}]\n",
    "? ''\n: empty\n? [a]\n: b\n",
    "# comment\n%YAML 1.1\n---\nschema_version: '1.0'\nid: 2026-01-01_Leaf_084c3e37952d\nhistory:\n"
    "- time: '2026-01-01T14:27:00.000000+00:00'\n  from: null\n...\n",
    "a: !!int '5'\nb: !!str 5\nc: !!float 1\nd: ! 7\ne: !foo bar\nf: !!set {a, b}\ng: !!binary aGk=\n",
]
BYTES = b" \n\t:-?,[]{}#&*!|>'\"%@`ab01._~<=\\\x00\xff\xc3\xa9\r"


def mutated(numbers):
    content = bytearray(numbers.choice(SEEDS).encode())
    for _ in range(numbers.randrange(1, 5)):
        at = numbers.randrange(len(content) + 1)
        byte = numbers.choice(BYTES)
        match numbers.randrange(4):
            case 0:
                content[at:at] = bytes([byte])
            case 1 if at < len(content):
                content[at] = byte
            case 2:
                del content[at : at + numbers.randrange(1, 4)]
            case _:
                content[at:at] = content[at : at + numbers.randrange(12)]
    return bytes(content)


@pytest.mark.parametrize("seed", range(20))
def test_mutated_files_are_read_alike_or_refused(parse, seed):
    numbers = random.Random(seed)
    for _ in range(300):
        content = mutated(numbers)
        try:
            found = parse(content)
        except n4w.CorruptFileError:
            continue
        try:
            expected = yaml.load(content, Loader=LOADER)
        except (yaml.YAMLError, ValueError, TypeError):
            continue  # YAML 1.2 allows more than 1.1
        assert same(found, expected), (content, expected, found)


def test_hostile_files_are_refused_at_once(parse):
    laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
    )
    for content, message in (
        (laughs, "more than"),
        ("a: &a [*a]\n", "line 1"),
        ("a: " + "[" * 100_000, "deeper|recursion"),
        ("a: " + "{b: " * 100_000, "deeper|recursion"),
        ("- " * 100_000, "deeper|recursion"),
        ("".join(f"{' ' * n}a:\n" for n in range(3_000)), "deeper|recursion"),
        ("a: !!python/object/apply:os.system [ls]\n", "tag"),
        ("a: 1\n---\nb: 2\n", "second document"),
        (b"a: \xff\n", "not UTF-8 at byte 3"),
        ("a: \0\n", "U\\+0000"),
        ("[a]: 1\n", "not a mapping|is a key"),
        ("", "not a mapping"),
        ("- a\n", "not a mapping"),
        ("a: [1\n", "line"),
        ("a: " + "9" * 5_000 + "\n", "too large"),
        ("\na:\n\tb: 1\n", "line [23]"),
    ):
        with pytest.raises(n4w.CorruptFileError, match=message):
            parse(content)
    many = "".join(f"key_{n}: {n}\n" for n in range(50_000))
    assert len(parse(many)) == 50_000
    flow = "a: [" + "b, " * 100_000 + "]\n"
    assert len(parse(flow)["a"]) == 100_000


def test_the_last_of_equal_keys_counts_at_the_first_place(parse):
    text = "b: 1\na: 2\nb: 3\n1: x\ntrue: y\n1.0: z\n"
    assert same(parse(text), yaml.load(text, Loader=LOADER))
    assert parse("\ufeffa: 1\n") == {"a": 1}
    assert parse("d: 2026-01-02\n") == {"d": date(2026, 1, 2)}
