"""Two evaluations that embed the same: the second waits for the first, and uses what it wrote."""

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from gramcli.datasets import Dataset, Item
from gramcli.embedding.cache import cached_store_path
from gramcli.embedding.options import EmbedOptions
from gramcli.encoders import load_encoder
from gramcli.errors import UserError
from gramcli.evaluation import target
from gramcli.files.locking import take_lock
from gramcli.results.watch import NOBODY
from gramcli.store import open_store

DATASET = Dataset("made here", "manifest", (Item("one", {}, ("a cat",)), Item("two", {}, ("a dog",))))


class _Heard:
    """Keeps what is said; the rest is nobody's."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.stage = NOBODY.stage

    def say(self, message: str) -> None:
        self.said.append(message)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GRAM_CACHE", str(tmp_path / "cache"))
    found = cached_store_path(load_encoder("signal").describe(DATASET.modalities), DATASET)
    found.mkdir(parents=True)
    return found


def test_a_limit_is_of_what_is_evaluated_and_no_more_is_embedded(tmp_path: Path) -> None:
    rows = [f"{split}{k},{split},a text {k}" for split in ("train", "test") for k in range(4)]
    (tmp_path / "all.csv").write_text("\n".join(["id,split,text", *rows]) + "\n")

    def ids(split: str | None, limit: int | None, **more: bool) -> list[str]:
        found = target.chosen_dataset(str(tmp_path / "all.csv"), None, split, limit, text_only=True, **more)
        return [item.id for item in found.items]

    assert ids(None, 2) == ids("test", 2) == ["test0", "test1"]
    assert ids(None, 2, with_train=True) == [*(f"train{k}" for k in range(4)), "test0", "test1"]
    assert len(ids(None, None)) == 8


def _embedded(watch: Any) -> Path:
    return target._embedded(watch, load_encoder("signal"), DATASET, EmbedOptions(0))


def test_the_second_waits_for_the_first_and_says_so(place: Path) -> None:
    lock, heard = take_lock(place / ".lock", place), _Heard()
    release = threading.Timer(0.5, os.close, [lock])
    release.start()
    assert open_store(_embedded(heard)).ids == ("one", "two")
    release.join()
    assert heard.said[0] == (
        f"Waiting for another gram process (pid {os.getpid()} on {os.uname().nodename}), which embeds the same into "
        f"{place}; for at most 6 h."
    )
    assert "shards written: 1, found: 0" in heard.said[1]


def test_what_the_first_wrote_is_used(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock, heard = take_lock(place / ".lock", place), _Heard()
    real = target.wait_for_lock

    def first_ends(*arguments: Any) -> bool:
        os.close(lock)
        _embedded(NOBODY)
        return real(*arguments)

    monkeypatch.setattr(target, "wait_for_lock", first_ends)
    _embedded(heard)
    assert "shards written: 0, found: 1" in heard.said[1]


def test_it_does_not_wait_for_ever(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = take_lock(place / ".lock", place)
    monkeypatch.setattr(target, "CACHE_PATIENCE", 0.36)
    with pytest.raises(
        UserError, match=r"is still being written by another gram process \(pid \d+ on .*\) after 0.0001"
    ):
        _embedded(NOBODY)
    os.close(lock)
