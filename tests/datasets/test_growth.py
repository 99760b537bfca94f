"""Work that grows with what is read: twice the input takes twice the work, counted, never timed."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType

import pytest

from gramcli.datasets.entries import Entry, entries_of
from gramcli.datasets.manifest import read_manifest
from gramcli.datasets.tables import Row


def columns(path: Path, n: int) -> Path:
    """One row of n columns."""
    header = ",".join(["id", "caption", *(f"c{k}" for k in range(n))])
    path.write_text(header + "\n" + ",".join(["a", "text", *["1"] * n]) + "\n")
    return path


def one_id(path: Path, n: int) -> Path:
    """One id on n rows."""
    path.write_text("id,caption\n" + "".join(f"a,text {k}\n" for k in range(n)))
    return path


def many_ids(path: Path, n: int) -> Path:
    """n ids."""
    path.write_text("id,caption\n" + "".join(f"a{k},text {k}\n" for k in range(n)))
    return path


@contextmanager
def counted_copies(counts: list[int]) -> Iterator[None]:
    """Count what is copied: the items of every tuple and list that a function of ours returns."""

    def profile(frame: object, event: str, argument: object) -> None:
        code: CodeType = frame.f_code  # type: ignore[attr-defined]
        if event == "return" and "/gramcli/" in code.co_filename and isinstance(argument, tuple | list):
            counts.append(len(argument))
        elif event == "return" and "/gramcli/" in code.co_filename and hasattr(argument, "captions"):
            counts.append(len(argument.captions))

    sys.setprofile(profile)
    try:
        yield
    finally:
        sys.setprofile(None)


@pytest.mark.parametrize("made", [columns, one_id, many_ids])
def test_reading_a_manifest_copies_in_proportion_to_its_size(tmp_path: Path, made: Callable[[Path, int], Path]) -> None:
    copied, held = [], []
    for n in (500, 1000, 2000):
        path = made(tmp_path / f"{n}.csv", n)
        counts: list[int] = []
        with counted_copies(counts):
            read_manifest(path, text_only=True)
        copied.append(sum(counts))
        tracemalloc.start()
        read_manifest(path, text_only=True)
        held.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert copied[2] - copied[1] < 2.5 * (copied[1] - copied[0])
    assert held[2] < 2.6 * held[1]


def test_a_benchmark_s_rows_of_one_id_are_merged_once() -> None:
    def copies(n: int) -> int:
        counts: list[int] = []
        with counted_copies(counts):
            (entry,) = entries_of([Row("a.csv", {"id": "a", "caption": f"{k}"}, True) for k in range(n)], "a.csv")
        assert isinstance(entry, Entry)
        assert len(entry.captions) == n
        return sum(counts)

    assert copies(2000) < 2.5 * copies(1000)


def test_a_header_of_many_names_is_compared_once(tmp_path: Path) -> None:
    """100,000 columns took minutes, for every name was counted among all, and held against ours."""
    calls: list[str] = []

    def profile(frame: object, event: str, argument: object) -> None:
        if event in ("call", "c_call"):
            calls.append(event)

    def work(n: int) -> int:
        path = columns(tmp_path / f"{n}.csv", n)
        calls.clear()
        sys.setprofile(profile)
        try:
            found = read_manifest(path, text_only=True)
        finally:
            sys.setprofile(None)
        assert f"and {n - 20:,} more" in found.notes[0]
        return len(calls)

    few, many = work(2_000), work(4_000)
    assert many < 2.5 * few


def test_names_of_columns_are_counted_not_searched_for() -> None:
    from gramcli.datasets.tables import _header

    class Counting(str):
        __slots__ = ()
        compared = 0

        def strip(self, *_: object) -> Counting:  # type: ignore[override]
            return self

        def __eq__(self, other: object) -> bool:
            Counting.compared += 1
            return str.__eq__(self, other)

        __hash__ = str.__hash__

    _header([Counting(f"c{k}") for k in range(3_000)], "a.csv")
    assert Counting.compared < 30_000
