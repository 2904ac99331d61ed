"""TOML, JSON and a user's files are read up to stated bounds, and anything beyond is reported."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from hgeisim import user_file
from hgeisim.document import DIGITS_MAX, NESTING_MAX, json_of, toml_of
from hgeisim.errors import SHOWN_MAX, InputError, Problem
from hgeisim.user_file import GROWTH_MAX, read_bytes, read_text

DEEP = f"f: must be nested at most {NESTING_MAX} tables or lists deep"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = " + "[" * 5000, DEEP),
        ("x = " + "[" * NESTING_MAX + "]" * NESTING_MAX, DEEP),
        ("x = " + "{a=" * NESTING_MAX + "1" + "}" * NESTING_MAX, DEEP),
        ("\n" + "a." * 99_999 + "a = 1", DEEP.replace("f:", "f: line 2:")),
        ("\n[" + "a ." * 99_999 + "a]", DEEP.replace("f:", "f: line 2:")),
        ("\n" + "'a b' . " * 9_999 + "a = 1", DEEP.replace("f:", "f: line 2:")),
        ("\n" + '"a\\"b"."" .' * 9_999 + "a = 1", DEEP.replace("f:", "f: line 2:")),
        ("\nx = " + "9" * 5000, "...: must be a number of at most 1000 digits; it has 5000"),
        ("x = [1, 0x" + "f" * 5000, "f: end of document: must be TOML: Unclosed array"),
        (
            "x = [0x" + "f" * 5000 + "]",
            "f = 0xffffffffffffffff...: must be a number of at most 1000",
        ),
        ("x = 1" + "0" * (DIGITS_MAX + 1), "must be a number of at most 1000 digits"),
    ],
)
def test_toml_beyond_the_bounds(text: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        toml_of(text, "f")
    assert said in str(caught.value)
    assert len(str(caught.value)) < 2 * SHOWN_MAX


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 100_000, DEEP),
        ('{"a":' * 100_000, DEEP),
        ("[" * (NESTING_MAX + 1) + "]" * (NESTING_MAX + 1), DEEP),
        ("\n[1,\n" + "9" * 5000 + "]", "f: line 3 = 999"),
        ("[1" + "0" * (DIGITS_MAX + 1) + "]", "must be a number of at most 1000 digits"),
        ("[\n1,", "f: line 2 column 3: must be JSON: "),
    ],
)
def test_json_beyond_the_bounds(text: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        json_of(text, "f")
    assert said in str(caught.value)


def test_within_the_bounds() -> None:
    nested = "[" * (NESTING_MAX - 1) + "9" * (DIGITS_MAX - 10) + "]" * (NESTING_MAX - 1)
    assert toml_of(f"x = {nested}", "f") == {"x": json_of(nested, "f")}
    numbers = ", ".join(["0.5"] * 9999)
    assert toml_of(f"a.b.c = [{numbers}]", "f") == {"a": {"b": {"c": [0.5] * 9999}}}
    assert toml_of(f"x = '{'words. ' * 40}'", "f")


def test_looking_for_deep_keys_takes_linear_time() -> None:
    for text in ("a" * 3_000_000, "a " * 1_000_000, '" ' * 1_000_000, "a.\n" * 1_000_000):
        with pytest.raises(InputError):
            toml_of(text, "f")


def test_plain_and_packed_files_are_read_alike(tmp_path: Path) -> None:
    path, text = tmp_path / "f", "a\nb\n\xb5\n"
    for content in (text, "\ufeff" + text, text.replace("\n", "\r\n"), text.replace("\n", "\r")):
        for data in (content.encode(), gzip.compress(content.encode())):
            path.write_bytes(data)
            assert read_text(path) == text


def test_a_file_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, mib = tmp_path / "f", 1 << 20
    said = "f: must not have more than 1 MiB, unpacked"
    for data in (bytes(mib + 1), gzip.compress(bytes(mib + 1))):
        path.write_bytes(data)
        with pytest.raises(InputError, match=said):
            read_bytes(path, limit=mib)
        assert len(read_bytes(path, limit=2 * mib)) == mib + 1
    monkeypatch.setattr(user_file, "TEXT_MAX", mib)
    with pytest.raises(InputError, match=f"unpacks to more than {GROWTH_MAX} times its size"):
        read_bytes(path, limit=2 * mib)


def test_a_value_of_any_length_is_shown_in_short() -> None:
    problem = Problem("f", "k" * 5000, "v" * 5000, "must be short")
    assert len(str(problem)) < 3 * SHOWN_MAX
    assert str(problem).startswith("f: kkk")
