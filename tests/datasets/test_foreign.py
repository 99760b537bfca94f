"""Annotations of other people's programs: pickles and Parquet that declare more than they hold, or hold no texts."""

from __future__ import annotations

import datetime
import decimal
import pickle
import re
import resource
import struct
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gramcli.datasets.entries import entries_of
from gramcli.datasets.records import read_records
from gramcli.errors import UserError

GIGABYTE = 2**20  # of what getrusage counts in, on Linux
SECONDS = 20


def _refused(path: Path) -> str:
    """The sentence that a file is refused with, in little memory and time."""
    started, held = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UserError, match=r"\w") as caught:
        entries_of(read_records(path).rows, path.name)
    if sys.platform == "linux":
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - held < GIGABYTE
    assert time.monotonic() - started < SECONDS
    assert str(path) in caught.value.message
    return caught.value.message


def _nested(depth: int) -> Any:
    value: Any = "word"
    for _ in range(depth):
        value = [value, value]
    return value


def _itself() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


def _shared(times: int, length: int) -> dict[str, Any]:
    captions = ["word"] * length
    return {str(k): captions for k in range(times)}


def _joined(times: int) -> dict[str, Any]:
    text = "x" * 1_000_000
    return {"a": [[text] * 40] * times}


PICKLES = {
    "bytes": (pickle.dumps({b"a": ["x"]}), "has an id that is no text but a bytes"),
    "tuple": (pickle.dumps({("a",): ["x"]}), "has a tuple as a key"),
    "key of nested tuples": (b"\x80\x02}K\x01\x85q\x00" + b"2\x86" * 38 + b"K\x01s.", "has a tuple as a key"),
    "millions of sets": (b"\x80\x04](" + b"\x8f" * 2_100_000 + b"e.", "more than 2,000,000 lists"),
    "none": (pickle.dumps({None: ["x"]}), "has an id that is no text but a NoneType"),
    "infinite": (pickle.dumps({float("inf"): ["x"]}), "has an id that is no text but a float"),
    "digits": (pickle.dumps({"a": [["x", 10**6000]]}), "a whole number of more than 64 bits"),
    "key of digits": (pickle.dumps({10**6000: ["x"]}), "a whole number of more than 64 bits"),
    "digits in text": (b"(dI" + b"9" * 6000 + b"\n.", "cannot be read"),
    "nested": (pickle.dumps({"a": [[_nested(28)]]}), "a word of a caption is a list, no text"),
    "itself": (pickle.dumps({"a": [_itself()]}), "a word of a caption is a list, no text"),
    "word of bytes": (pickle.dumps({"a": [["x", b""]]}), "a word of a caption is a bytes, no text"),
    "shared": (pickle.dumps(_shared(10_000, 10_000)), "holds captions of more than 10,000,000 words"),
    "joined": (pickle.dumps(_joined(10)), "holds captions of more than .* letters in all"),
    "memo": (b"\x80\x02}r\xff\xff\xff\x0f.", "it numbers a value 268,435,455 after 2 instructions"),
    "memo in text": (b"}p268435455\n.", "it numbers a value 268,435,455"),
    "bytearray": (b"\x80\x05\x96" + struct.pack("<Q", 8 << 30) + b"abc.", r"declares a value of 8,589,934,592 bytes"),
    "frame": (b"\x80\x04\x95" + struct.pack("<Q", 2**40) + b"}.", "declares a frame of 1,099,511,627,776 bytes"),
    "marks": (b"(" * 9_000_000 + b".", "it has more than 8,000,000 instructions"),
    "outside": (b"\x80\x02U\x01aQ.", "BINPERSID, which reaches outside"),
    "code": (b"cposix\nsystem\n(S'x'\ntR.", r"names the code posix\.system, which is not run"),
    "half": (b"\x80\x02}q", "cannot be read"),
}


@pytest.mark.parametrize("name", PICKLES)
def test_a_pickle_that_is_no_captions_is_refused_in_a_sentence(tmp_path: Path, name: str) -> None:
    data, said = PICKLES[name]
    (tmp_path / "raw-captions.pkl").write_bytes(data)
    assert re.search(said, _refused(tmp_path / "raw-captions.pkl"))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_of_captions_is_read_whoever_wrote_it(tmp_path: Path, protocol: int) -> None:
    words = {f"v{k}": [["a", "man", "walks", k], ("a", "dog"), "plain"] for k in range(300)} | {7: ["x"]}
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(words, protocol))
    entries = entries_of(read_records(tmp_path / "a.pkl").rows, "a.pkl")
    assert [entries[3].captions, entries[300].id] == [("a man walks 3", "a dog", "plain"), "7"]


def _table(path: Path, **columns: Any) -> Path:
    pa = pytest.importorskip("pyarrow")
    pytest.importorskip("pyarrow.parquet").write_table(pa.table(columns), path, compression="zstd")
    return path


FOREIGN = {
    "bytes": b"a\xff",
    "time stamp": datetime.datetime(2020, 1, 1),
    "date": datetime.date(2020, 1, 1),
    "time": datetime.time(1),
    "span": datetime.timedelta(1),
    "decimal": decimal.Decimal("1.5"),
    "struct": {"u": 1, "v": datetime.date(2020, 1, 1)},
    "list": [b"x"],
    "truth": True,
}


@pytest.mark.parametrize("column", ["video_id", "caption", "split", "label", "subtitle", "start", "end"])
@pytest.mark.parametrize("name", FOREIGN)
def test_a_cell_of_another_type_is_told(tmp_path: Path, name: str, column: str) -> None:
    columns = {"video_id": ["a", "b"], "caption": ["x", "y"]} | {column: [FOREIGN[name]] * 2}
    said = _refused(_table(tmp_path / "a.parquet", **columns))
    assert f"row 1: {column} must be one text or number; found " in said


def test_a_column_that_nobody_asks_for_may_hold_anything(tmp_path: Path) -> None:
    path = _table(tmp_path / "a.parquet", video_id=["a", None], caption=[["x"], None], day=[FOREIGN["date"]] * 2)
    assert [row.values["video_id"] for row in read_records(path).rows] == ["a", None]


def _many_texts(path: Path) -> Path:
    """Two megabytes that stand for twenty gigabytes: one text of a dictionary, named in 20 M rows."""
    pa = pytest.importorskip("pyarrow")
    indices = pa.array(np.zeros(20_000_000, dtype="int32"))
    return _table(path, video_id=pa.DictionaryArray.from_arrays(indices, pa.array(["v" * 1000])))


def _long_texts(path: Path) -> Path:
    """Fewer rows than the limit, of a longer text; within lists."""
    pa = pytest.importorskip("pyarrow")
    texts = pa.DictionaryArray.from_arrays(pa.array(np.zeros(500_000, dtype="int32")), pa.array(["v" * 1000]))
    return _table(path, captions=pa.ListArray.from_arrays(pa.array(range(0, 500_001, 5), pa.int32()), texts))


def _zeros(path: Path) -> Path:
    pa = pytest.importorskip("pyarrow")
    return _table(path, video_id=pa.array(np.zeros(20_000, dtype="S1000"), pa.binary(1000)))


def _prefixes(path: Path) -> Path:
    pa = pytest.importorskip("pyarrow")
    table = pa.table({"video_id": ["v" * 10_000] * 3_000})
    pytest.importorskip("pyarrow.parquet").write_table(
        table, path, use_dictionary=False, column_encoding={"video_id": "DELTA_BYTE_ARRAY"}
    )
    return path


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (_many_texts, "is too large (it holds 20,000,000 rows, more than the 2,000,000 that are read at once)"),
        (_long_texts, "is too large (its texts come to more than 268,435,456 bytes)"),
    ],
)
def test_a_parquet_file_that_unpacks_to_gigabytes_is_refused(tmp_path: Path, made: Any, said: str) -> None:
    assert said in _refused(made(tmp_path / "a.parquet"))


@pytest.mark.parametrize(
    ("made", "said"),
    [(_zeros, "is too large (it unpacks to 20,0"), (_prefixes, "is encoded as DELTA_BYTE_ARRAY, which may unpack")],
)
def test_sizes_are_known_before_anything_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: Any, said: str
) -> None:
    """A limit of sixteen megabytes stands for the real one, which takes a minute to go beyond."""
    path = made(tmp_path / "a.parquet")
    assert len(read_records(path).rows) > 2000
    monkeypatch.setattr("gramcli.datasets.parquet.MAX_ANNOTATION_BYTES", 2**24)
    assert said in _refused(path)


def test_damaged_parquet_is_a_sentence(tmp_path: Path) -> None:
    whole = _table(tmp_path / "a.parquet", video_id=["a"]).read_bytes()
    for damaged in (b"PAR1", whole[:-8] + b"\xff\xff\xff\x7fPAR1", whole[: len(whole) // 2]):
        (tmp_path / "b.parquet").write_bytes(damaged)
        assert "cannot be read as Parquet" in _refused(tmp_path / "b.parquet")
    pa = pytest.importorskip("pyarrow")
    twice = pa.table([["a"], ["b"]], names=["video_id", "video_id"])
    pytest.importorskip("pyarrow.parquet").write_table(twice, tmp_path / "c.parquet")
    assert "names the column 'video_id' twice" in _refused(tmp_path / "c.parquet")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.json", "[" + "{}," * 5_000_000 + "{}]", "holds 5,000,002 lists and objects, more than the 2,000,000"),
        ("a.jsonl", '{"id":[[[[]]]]}\n' * 1_000_000, "lists and objects, more than the 2,000,000"),
        ("a.json", "[" + '"",' * 11_000_000 + '""]', "holds 11,000,001 values, more than the 10,000,000"),
        ("a.csv", "id\n" + "a\n" * 2_500_000, "holds 2,500,001 rows, more than the 2,000,000"),
        ("a.txt", "a\n" * 2_500_000, "holds 2,500,000 rows, more than the 2,000,000"),
        ("a.json", "[" + "{}," * 1_500_000 + "{}]", "entry 1 is an empty object"),
        ("a.json", '["a"' + ',"b"' * 3_000_000 + "]", "names 3,000,001 ids, more than 2,000,000"),
    ],
)
def test_small_things_without_number_are_counted_before_they_are_made(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    (tmp_path / name).write_text(text)
    assert said in _refused(tmp_path / name)
