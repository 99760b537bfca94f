"""What `embed` says of every file: partial ones, silent ones, those that hang or crash, and those tried again."""

from __future__ import annotations

import os
import shutil
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gramcli.datasets import open_dataset
from gramcli.embedding.options import EmbedOptions
from gramcli.embedding.writing import write_embeddings
from gramcli.encoders import load_encoder
from gramcli.encoders.base import Encoder
from gramcli.encoders.signal_prepare import prepare_media
from gramcli.errors import UserError
from gramcli.store import open_store
from tests.embedding.test_embed import _left_out, _shards, _Wrapped
from tests.media_factory import write_video, write_wav

ONE = EmbedOptions(workers=1)


@pytest.fixture
def signal_encoder() -> Encoder:
    return load_encoder("signal", frames=4)


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    folder = tmp_path / "clips"
    folder.mkdir()
    for number, name in enumerate("abcdef"):
        write_video(folder / f"{name}.mp4", n_frames=4 + number, seed=number)
        (folder / f"{name}.txt").write_text(f"clip {name}\n")
    return folder


def dangerous(modality: str, media: Any) -> Any:
    """Hang on the clip of 5 frames, crash on the one of 7, and run out of memory on the one of 8."""
    frames = getattr(media, "total_frames", 0)
    if frames == 5:
        time.sleep(600)
    elif frames == 7:
        os.kill(os.getpid(), signal.SIGSEGV)
    elif frames == 8:
        raise MemoryError
    elif frames == 9:
        raise ZeroDivisionError("a bug")
    return prepare_media(modality, media)


def test_a_hang_and_a_crash_cost_one_item_each(clips: Path, tmp_path: Path, signal_encoder: Encoder) -> None:
    encoder = _Wrapped(signal_encoder, prepare=dangerous)
    options = EmbedOptions(workers=2, time_limit=2.0)
    summary = write_embeddings(open_dataset(str(clips)), encoder, tmp_path / "s", options=options)
    assert {left.id: left.reason for left in summary.left_out} == {
        "b": "b.mp4: it took longer than 2 s (--timeout)",
        "d": "d.mp4: it crashed the decoder (SIGSEGV)",
        "e": "e.mp4 needs more memory than there is",
        "f": "f.mp4: unexpected ZeroDivisionError: a bug",
    }
    assert summary.ok == {"text": 6, "video": 2, "audio": 6}
    assert summary.exit_code == 3


def test_parts_of_files_are_said_and_counted(clips: Path, tmp_path: Path, signal_encoder: Encoder) -> None:
    whole = write_video(tmp_path / "whole.mkv", n_frames=40, tone_hz=None)
    data = whole.read_bytes()
    (clips / "g.mkv").write_bytes(data[: len(data) * 2 // 3])
    write_video(clips / "h.mp4", n_frames=2)
    summary = write_embeddings(open_dataset(str(clips)), signal_encoder, tmp_path / "s", options=ONE)
    status = dict(zip(open_store(tmp_path / "s").ids, open_store(tmp_path / "s").status("video"), strict=True))
    assert status["a"] == "ok"
    assert status["g"].startswith("ok: partial: ")
    assert status["h"].startswith("ok: 2 frames, the last repeated")
    assert summary.partial == {"video": 1}
    assert any(note.startswith("video: 1 of 8 items were decoded in part") for note in summary.notes)
    assert bool(open_store(tmp_path / "s").present("video").all())
    assert summary.exit_code == 0


def _broken_then_mended(clips: Path, tmp_path: Path, encoder: Encoder) -> tuple[Path, EmbedOptions]:
    """A store in which c failed and whose file has been replaced since."""
    options = EmbedOptions(shard_size=2, workers=1)
    good = shutil.move(clips / "c.mp4", tmp_path / "good.mp4")
    (clips / "c.mp4").write_text("not yet downloaded")
    summary = write_embeddings(open_dataset(str(clips)), encoder, tmp_path / "s", options=options)
    assert _left_out(summary) == {("c", "video"), ("c", "audio")}
    shutil.move(good, clips / "c.mp4")
    return tmp_path / "s", options


def test_retry_failed_mends_only_what_failed(clips: Path, tmp_path: Path, signal_encoder: Encoder) -> None:
    store, options = _broken_then_mended(clips, tmp_path, signal_encoder)
    with pytest.raises(UserError, match=r"the media files changed .*If you mended what had failed, use --retry-failed"):
        write_embeddings(open_dataset(str(clips)), signal_encoder, store, options=options)
    untouched = {path: path.stat().st_ino for path in store.glob("shards/0000[02].*")}
    summary = write_embeddings(open_dataset(str(clips)), signal_encoder, store, retry_failed=True, options=options)
    assert (summary.shards_written, summary.shards_reused, summary.left_out) == (1, 2, ())
    assert untouched == {path: path.stat().st_ino for path in store.glob("shards/0000[02].*")}
    write_embeddings(open_dataset(str(clips)), signal_encoder, tmp_path / "fresh", options=options)
    assert _shards(store) == _shards(tmp_path / "fresh")
    for name in ("items.csv", "manifest.json"):
        assert (store / name).read_bytes() == (tmp_path / "fresh" / name).read_bytes()
    again = write_embeddings(open_dataset(str(clips)), signal_encoder, store, retry_failed=True, options=options)
    assert (again.shards_written, again.shards_reused) == (0, 3)


def test_retry_failed_reads_no_file_that_was_fine(clips: Path, tmp_path: Path, signal_encoder: Encoder) -> None:
    store, options = _broken_then_mended(clips, tmp_path, signal_encoder)
    read: list[Any] = []

    def remember(modality: str, media: Any) -> Any:
        read.append((modality, getattr(media, "total_frames", None)))
        return prepare_media(modality, media)

    in_this_process = replace(options, workers=0)
    encoder = _Wrapped(signal_encoder, prepare=remember, describe=signal_encoder.describe)
    write_embeddings(open_dataset(str(clips)), encoder, store, retry_failed=True, options=in_this_process)
    assert read == [("video", 6), ("audio", None)]


def test_retry_failed_refuses_when_a_good_file_changed(clips: Path, tmp_path: Path, signal_encoder: Encoder) -> None:
    store, options = _broken_then_mended(clips, tmp_path, signal_encoder)
    before = _shards(store)
    os.utime(clips / "a.mp4", ns=(1, 1))
    with pytest.raises(UserError, match=r"the (audio|video) of item 'a' changed after it was embedded; .*--overwrite"):
        write_embeddings(open_dataset(str(clips)), signal_encoder, store, retry_failed=True, options=options)
    assert _shards(store) == before


def test_retry_failed_that_fails_again_changes_nothing(clips: Path, tmp_path: Path, signal_encoder: Encoder) -> None:
    (clips / "c.mp4").write_text("never a video")
    first = write_embeddings(open_dataset(str(clips)), signal_encoder, tmp_path / "s", options=ONE)
    before = _shards(tmp_path / "s")
    again = write_embeddings(open_dataset(str(clips)), signal_encoder, tmp_path / "s", retry_failed=True, options=ONE)
    assert again.left_out == first.left_out
    assert _shards(tmp_path / "s") == before


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_batches_do_not_change_the_store(batch_size: int, tmp_path: Path, signal_encoder: Encoder) -> None:
    folder = tmp_path / "sounds"
    folder.mkdir()
    for number in range(7):
        write_wav(folder / f"{number}.wav", seconds=0.1 + 0.3 * (number % 3), hz=200 + 90 * number)
        (folder / f"{number}.txt").write_text("\n".join("word " * (9 - number) + str(k) for k in range(number)))
    for size in (16, batch_size):
        options = EmbedOptions(workers=0, batch_size=size, shard_size=4)
        write_embeddings(open_dataset(str(folder)), signal_encoder, tmp_path / str(size), options=options)
    assert _shards(tmp_path / "16") == _shards(tmp_path / str(batch_size))


def test_texts_come_in_the_order_of_their_lengths(tmp_path: Path, signal_encoder: Encoder) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    for number, length in enumerate((9, 2, 7, 4, 1)):
        write_wav(folder / f"{number}.wav", seconds=0.1)
        (folder / f"{number}.txt").write_text("x" * length)
    seen: list[list[int]] = []

    class Watching(_Wrapped):
        def rows(self, modality: str, inputs: Any) -> np.ndarray:
            if modality == "text":
                seen.append([len(one) for one in inputs])
            return super().rows(modality, inputs)

    options = EmbedOptions(workers=0, batch_size=2)
    write_embeddings(open_dataset(str(folder)), Watching(signal_encoder), tmp_path / "s", options=options)
    batches = [lengths for lengths in seen if lengths != [1]]  # a look at the first one alone may be among them
    assert batches == [[1, 2], [4, 7], [9]]
    texts = open_store(tmp_path / "s").embeddings("text")
    assert texts[0].numpy() == pytest.approx(signal_encoder.encode({"text": ["x" * 9]})["text"][0])


@pytest.mark.parametrize(
    ("options", "message"), [({"time_limit": 0}, "--timeout"), ({"batch_size": 0}, "--batch-size")]
)
def test_options_are_checked(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        EmbedOptions(**options)


def test_captions_that_cannot_be_read_are_failures_and_can_be_mended(
    clips: Path, tmp_path: Path, signal_encoder: Encoder
) -> None:
    (clips / "b.txt").write_bytes(b"caf\xe9\n")
    (clips / "c.srt").write_bytes("1\n00:00:00,000 --> 00:00:01,000\nhi\n".encode("utf-16"))
    summary = write_embeddings(open_dataset(str(clips)), signal_encoder, tmp_path / "s", options=ONE)
    assert _left_out(summary) == {("b", "text"), ("c", "subtitle")}
    assert summary.exit_code == 3
    status = open_store(tmp_path / "s").status
    assert "b.txt is not UTF-8" in status("text")[1]
    assert str(tmp_path) not in status("text")[1]
    (clips / "b.txt").write_text("café\n", encoding="utf-8")
    again = write_embeddings(open_dataset(str(clips)), signal_encoder, tmp_path / "s", retry_failed=True, options=ONE)
    assert _left_out(again) == {("c", "subtitle")}
    assert open_store(tmp_path / "s").status("text")[1] == "ok"


def test_an_unfinished_store_takes_a_mended_file(clips: Path, tmp_path: Path, signal_encoder: Encoder) -> None:
    def stop(done: int, *_: object) -> None:
        if done == 5:
            raise KeyboardInterrupt

    good = shutil.move(clips / "c.mp4", tmp_path / "good.mp4")
    (clips / "c.mp4").write_text("not yet downloaded")
    options = EmbedOptions(shard_size=2, workers=1)
    with pytest.raises(KeyboardInterrupt):
        write_embeddings(open_dataset(str(clips)), signal_encoder, tmp_path / "s", options=options, progress=stop)
    shutil.move(good, clips / "c.mp4")
    summary = write_embeddings(
        open_dataset(str(clips)), signal_encoder, tmp_path / "s", retry_failed=True, options=options
    )
    assert (summary.left_out, summary.shards_reused) == ((), 1)
    write_embeddings(open_dataset(str(clips)), signal_encoder, tmp_path / "fresh", options=options)
    assert _shards(tmp_path / "s") == _shards(tmp_path / "fresh")
