"""`embed` on real media: what fails is told and costs no other item; a run that is killed goes on where it was."""

import hashlib
import os
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gramcli.datasets import Dataset, Item, open_dataset
from gramcli.embedding.options import EmbedOptions
from gramcli.embedding.writing import write_embeddings
from gramcli.encoders import from_functions, load_encoder
from gramcli.encoders.base import Encoder
from gramcli.errors import UserError
from gramcli.results.runs import EmbedSummary
from gramcli.store import open_store
from tests.media_factory import write_image, write_subtitle, write_video, write_wav


@pytest.fixture
def signal_encoder() -> Encoder:
    return load_encoder("signal", frames=2)


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """a: everything; b: a silent video; c: text named .mp4; d: a sound only; e: a broken sound beside a video."""
    folder = tmp_path / "my clips"
    folder.mkdir()
    write_video(folder / "a.mp4", n_frames=4)
    (folder / "a.txt").write_text("a red square\na square that moves\n")
    write_subtitle(folder / "a.srt")
    write_image(folder / "a.png")
    write_video(folder / "b.mp4", n_frames=4, tone_hz=None, colour=(10, 200, 30))
    (folder / "b.txt").write_text("a green square\n")
    (folder / "c.mp4").write_text("hello, I am no video")
    (folder / "c.txt").write_text("nothing\n")
    write_wav(folder / "d.wav", seconds=0.3)
    write_video(folder / "e.mp4", n_frames=4, colour=(90, 90, 200))
    (folder / "e.wav").write_bytes(b"RIFF" + bytes(range(90)))
    return folder


def _shards(store: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(store.glob("shards/*"))}


def _left_out(summary: EmbedSummary) -> set[tuple[str, str]]:
    return {(left.id, left.modality) for left in summary.left_out}


def test_what_fails_is_told_and_the_rest_goes_on(clips: Path, tmp_path: Path, signal_encoder: Encoder) -> None:
    seen: list[tuple[Any, ...]] = []
    dataset = open_dataset(str(clips))
    summary = write_embeddings(
        dataset,
        signal_encoder,
        tmp_path / "s",
        options=EmbedOptions(shard_size=2),
        progress=lambda *at: seen.append(at),
    )
    assert _left_out(summary) == {("c", "video"), ("c", "audio"), ("e", "audio")}
    assert all(str(tmp_path) not in left.reason for left in summary.left_out)
    assert (summary.items, summary.captions, summary.exit_code) == (5, 4, 3)
    assert summary.ok == {"text": 3, "video": 3, "audio": 2, "subtitle": 1, "image": 1}
    assert summary.absent == {"text": 2, "video": 1, "audio": 1, "subtitle": 4, "image": 4}
    assert "audio: absent from 1 of 5 items." in summary.notes
    assert (summary.shards_written, summary.shards_reused) == (3, 0)
    assert (seen[0], seen[-1][:2]) == ((0, 5, ""), (5, 5))
    assert "3 failed, bottleneck: " in seen[-1][2]
    assert [at[0] for at in seen] == sorted(at[0] for at in seen)

    store = open_store(tmp_path / "s")
    assert store.ids == ("a", "b", "c", "d", "e")
    assert store.status("audio")[:2] == ["ok", "absent: no audio track"]
    assert store.status("video")[2].startswith("failed: c.mp4 is not a video file that can be decoded")
    assert store.caption_items().tolist() == [0, 0, 1, 2]
    for name in store.modalities:
        lengths = store.embeddings(name).norm(dim=1)
        assert (lengths[store.present(name)] if name != "text" else lengths).allclose(lengths.new_ones(()), atol=1e-5)


def test_running_it_again_changes_nothing(clips: Path, tmp_path: Path, signal_encoder: Encoder) -> None:
    dataset = open_dataset(str(clips))
    first = write_embeddings(dataset, signal_encoder, tmp_path / "s", options=EmbedOptions(shard_size=2))
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "s").rglob("*") if path.name != ".lock"}
    seen: list[tuple[Any, ...]] = []
    again = write_embeddings(
        dataset,
        signal_encoder,
        tmp_path / "s",
        options=EmbedOptions(shard_size=2),
        progress=lambda *at: seen.append(at),
    )
    assert again == replace(first, shards_written=0, shards_reused=3)
    assert seen == [(5, 5, "")]
    assert files == {path: path.stat().st_mtime_ns for path in (tmp_path / "s").rglob("*") if path.name != ".lock"}


def test_shards_depend_on_the_content_only(clips: Path, tmp_path: Path, signal_encoder: Encoder) -> None:
    write_embeddings(
        open_dataset(str(clips)), signal_encoder, tmp_path / "s", options=EmbedOptions(shard_size=3, workers=1)
    )
    elsewhere = tmp_path / "else" / "where" / "my clips"
    shutil.copytree(clips, elsewhere, copy_function=shutil.copyfile)
    for workers in (0, 4, None):
        output = tmp_path / f"s{workers}"
        write_embeddings(
            open_dataset(str(elsewhere)), signal_encoder, output, options=EmbedOptions(shard_size=3, workers=workers)
        )
        assert _shards(output) == _shards(tmp_path / "s")
        assert open_store(output).fingerprint() == open_store(tmp_path / "s").fingerprint()


def test_a_changed_file_is_noticed(clips: Path, tmp_path: Path, signal_encoder: Encoder) -> None:
    write_embeddings(open_dataset(str(clips)), signal_encoder, tmp_path / "s")
    os.utime(clips / "a.mp4", ns=(1, 1))
    with pytest.raises(UserError, match=r"finished store of something else: the media files changed .*--overwrite"):
        write_embeddings(open_dataset(str(clips)), signal_encoder, tmp_path / "s")
    (clips / "b.txt").write_text("another caption\n")
    with pytest.raises(UserError, match="the captions changed"):
        write_embeddings(open_dataset(str(clips)), signal_encoder, tmp_path / "s")
    with pytest.raises(UserError, match=r"model\.preprocessing\.frames was 2, now 3"):
        write_embeddings(open_dataset(str(clips)), load_encoder("signal", frames=3), tmp_path / "s")
    assert (
        write_embeddings(open_dataset(str(clips)), signal_encoder, tmp_path / "s", overwrite=True).shards_written == 1
    )


def test_nothing_usable(tmp_path: Path, signal_encoder: Encoder) -> None:
    folder = tmp_path / "bad"
    folder.mkdir()
    for name in "ab":
        (folder / f"{name}.mp4").write_text("hello")
        (folder / f"{name}.txt").write_text("a caption")
    summary = write_embeddings(open_dataset(str(folder)), signal_encoder, tmp_path / "s")
    assert (summary.usable, summary.exit_code, summary.ok["text"]) == (False, 1, 2)
    assert summary.notes[-1].startswith(
        "Nothing usable was embedded: video of 2 of 2 items is lacking, for instance a.mp4 "
    )
    assert summary.notes[-1].endswith("; items.csv holds the reasons.")
    assert open_store(tmp_path / "s").ids == ("a", "b")


def test_nothing_usable_since_the_model_gives_nothing(clips: Path, tmp_path: Path) -> None:
    """Every file decodes: the note does not blame them."""
    broken = from_functions({"video": lambda clip: [np.nan] * 3}, 3, name="broken")
    summary = write_embeddings(open_dataset(str(clips)), broken, tmp_path / "s")
    assert (summary.usable, summary.exit_code) == (False, 1)
    assert summary.notes[-1].startswith("Nothing usable was embedded: video of ")
    assert summary.notes[-1].endswith(
        " items is lacking, for instance the function of 'video' gave a vector that is zero or not finite; items.csv "
        "holds the reasons."
    )


def test_texts_alone_are_usable(tmp_path: Path, signal_encoder: Encoder) -> None:
    dataset = _dataset(Item("a", {}, captions=("one", "two")), Item("b", {}))
    summary = write_embeddings(dataset, signal_encoder, tmp_path / "s")
    assert (summary.exit_code, summary.captions, summary.absent) == (0, 2, {"text": 1})


def test_a_named_sound_file_without_sound_is_absent_and_counted(tmp_path: Path, signal_encoder: Encoder) -> None:
    silent = write_video(tmp_path / "silent.mp4", n_frames=4, tone_hz=None)
    other = write_video(tmp_path / "other.mp4", n_frames=4)
    dataset = _dataset(
        Item("own", {"video": silent, "audio": silent}),
        Item("named", {"video": other, "audio": silent}),
        Item("gone", {"video": tmp_path / "gone.mp4"}),
    )
    summary = write_embeddings(dataset, signal_encoder, tmp_path / "s")
    store = open_store(tmp_path / "s")
    assert store.status("audio") == ["absent: no audio track", "absent: no audio track", "absent: no audio file"]
    said = "audio: 1 of 3 items names a file without an audio track, for instance silent.mp4."
    assert [note for note in summary.notes if "without" in note] == [said]
    assert _left_out(summary) == {("gone", "video")}
    assert store.status("video")[2].startswith("failed: gone.mp4: file not found")


def _dataset(*items: Item) -> Dataset:
    return Dataset("made here", "folder", items)


class _Wrapped:
    """The signal encoder with something changed."""

    def __init__(self, inner: Encoder, **changes: Any) -> None:
        self.spec, self.shared_space, self.preprocessing = "wrapped", False, inner.preprocessing
        self.prepare, self.fused, self.stand_ins = inner.prepare, {}, {}
        self.dims = dict(inner.dims)
        self._inner = inner
        vars(self).update(changes)

    def describe(self, modalities: Collection[str] | None = None) -> dict[str, Any]:
        return {**self._inner.describe(modalities), "id": self.spec}

    @property
    def modalities(self) -> tuple[str, ...]:
        return tuple(self.dims)

    def encode(self, inputs: Mapping[str, Sequence[Any]]) -> dict[str, np.ndarray]:
        return {name: self.rows(name, given) for name, given in inputs.items()}

    def rows(self, modality: str, inputs: Sequence[Any]) -> np.ndarray:
        if any(isinstance(one, str) and one == "refused" for one in inputs):
            raise UserError("embedding", "that text is refused")
        rows = self._inner.encode({modality: inputs})[modality]
        factors = [{"zero": 0, "nan": np.nan}.get(one, 1) if isinstance(one, str) else 1 for one in inputs]
        return rows * np.array(factors, dtype=np.float32)[:, None]


def test_vectors_that_cannot_be_used_are_failures(tmp_path: Path, signal_encoder: Encoder) -> None:
    texts = [("fine", "zero"), ("nan", "zero"), ("refused",), ("fine",), ("refused", "fine", "refused")]
    dataset = _dataset(*(Item(str(i), {}, captions=captions) for i, captions in enumerate(texts)))
    summary = write_embeddings(dataset, _Wrapped(signal_encoder), tmp_path / "s")
    assert {left.id: left.reason for left in summary.left_out} == {
        "0": "1 of 2 captions could not be embedded",
        "1": "wrapped gave a vector that is zero or not finite",
        "2": "that text is refused",
        "4": "2 of 3 captions could not be embedded",
    }
    store = open_store(tmp_path / "s")
    assert store.caption_items().tolist() == [0, 3, 4]
    assert store.embeddings("text")[1:].equal(store.embeddings("text")[:2])


def test_modalities_the_encoder_does_not_know(clips: Path, tmp_path: Path, signal_encoder: Encoder) -> None:
    dataset = open_dataset(str(clips))
    only_text = _Wrapped(signal_encoder, dims={"text": 256})
    summary = write_embeddings(dataset, only_text, tmp_path / "s")
    assert list(summary.ok) == ["text"]
    assert "video was not embedded: wrapped embeds text." in summary.notes
    with pytest.raises(UserError, match=r"wrapped embeds depth; my clips has text, video, audio, subtitle, image\."):
        write_embeddings(dataset, _Wrapped(signal_encoder, dims={"depth": 2}), tmp_path / "t")
    with pytest.raises(UserError, match=r"gave 'text' \[1, 256\] where \[1, 7\] was due"):
        write_embeddings(_dataset(Item("a", {}, ("x",))), _Wrapped(signal_encoder, dims={"text": 7}), tmp_path / "u")


def test_interrupting_keeps_what_is_finished(clips: Path, tmp_path: Path, signal_encoder: Encoder) -> None:
    def interrupt(done: int, *_: object) -> None:
        if done == 3:
            raise KeyboardInterrupt

    dataset = open_dataset(str(clips))
    with pytest.raises(KeyboardInterrupt):
        write_embeddings(
            dataset, signal_encoder, tmp_path / "s", options=EmbedOptions(shard_size=1, workers=2), progress=interrupt
        )
    summary = write_embeddings(dataset, signal_encoder, tmp_path / "s", options=EmbedOptions(shard_size=1))
    assert (summary.shards_reused, summary.shards_written) == (2, 3)


def test_negative_workers(clips: Path, tmp_path: Path, signal_encoder: Encoder) -> None:
    with pytest.raises(UserError, match="--workers must not be below 0; got -1"):
        write_embeddings(open_dataset(str(clips)), signal_encoder, tmp_path / "s", options=EmbedOptions(workers=-1))
