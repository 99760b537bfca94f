"""What a store says of odd media: the status of every cell, sentence included."""

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from gramcli.datasets import Dataset, Item
from gramcli.datasets.items import with_own_sound
from gramcli.embedding.writing import write_embeddings
from gramcli.encoders import load_encoder
from gramcli.store import Store, open_store
from tests.media.clips import encode_sound
from tests.media.test_ancillary import PARTS, boxes, with_chunk
from tests.media.test_animation import animation
from tests.media_factory import tone, write_image, write_video, write_wav


def _store(folder: Path, *items: Item) -> Store:
    write_embeddings(Dataset("made here", "manifest", items), load_encoder("signal", frames=2), folder / "store")
    return open_store(folder / "store")


def _written(path: Path, raw: bytes) -> Path:
    path.write_bytes(raw)
    return path


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp3", "libmp3lame"), ("a.flac", "flac"), ("a.wav", ""), ("a.m4a", "aac")]
)
def test_a_sound_named_as_a_video_has_none(name: str, codec: str, tmp_path: Path) -> None:
    path = encode_sound(tmp_path / name, codec) if codec else write_wav(tmp_path / name)
    silent = write_video(tmp_path / "silent.mp4", n_frames=4, tone_hz=None)
    store = _store(tmp_path, *(Item(p.name, with_own_sound({"video": p})) for p in (path, silent)))
    assert store.status("video") == ["absent: no video track", "ok"]
    assert store.status("audio") == ["ok", "absent: no audio track"]


def test_files_without_the_track_they_are_named_for_are_counted(tmp_path: Path) -> None:
    silent = write_video(tmp_path / "silent.mp4", n_frames=4, tone_hz=None)
    sound = encode_sound(tmp_path / "a.mp3", "libmp3lame")
    items = [Item(f"{k}", {"video": sound, "audio": silent}) for k in range(2)]
    items.append(Item("right", {"video": silent, "audio": sound}))
    dataset = Dataset("made here", "manifest", tuple(items))
    summary = write_embeddings(dataset, load_encoder("signal", frames=2), tmp_path / "store")
    assert (summary.exit_code, summary.left_out) == (0, ())
    assert summary.notes == (
        "video: absent from 2 of 3 items.",
        "audio: absent from 2 of 3 items.",
        "video: 2 of 3 items name a file without a video track, for instance a.mp3.",
        "audio: 2 of 3 items name a file without an audio track, for instance silent.mp4.",
    )


def test_what_is_no_sound_or_video_at_all_is_a_failure(tmp_path: Path) -> None:
    picture, text = write_image(tmp_path / "a.png"), tmp_path / "b.mp4"
    text.write_text("hello there")
    cut = write_video(tmp_path / "c.mp4", n_frames=4, tone_hz=None)
    cut.write_bytes(cut.read_bytes()[:-300])
    empty = _written(tmp_path / "d.mp4", b"")
    said = {
        picture: "is not {} file that can be decoded (starts with '.PNG........IHDR'): it is a picture",
        text: "is not {} file that can be decoded (starts with 'hello there'): it is a text file",
        cut: "is not {} file that can be decoded",
        empty: "is empty (0 bytes); copy or download it again.",
    }
    for name, what in (("video", "a video"), ("audio", "an audio")):
        store = _store(tmp_path / name, *(Item(path.name, {name: path}) for path in said))
        for status, (path, why) in zip(store.status(name), said.items(), strict=True):
            assert status.startswith(f"failed: {path.name} {why.format(what)}")
    store = _store(tmp_path / "image", *(Item(path.name, {"image": path}) for path in (cut, text, picture)))
    assert [status.partition(":")[0] for status in store.status("image")] == ["failed", "failed", "ok"]


def test_pictures(tmp_path: Path) -> None:
    paths = {
        "gif": animation(tmp_path / "a.gif"),
        "tif": animation(tmp_path / "a.tif"),
        "png": with_chunk(tmp_path / "b.png", PARTS["iCCP"]),
        "heic": _written(tmp_path / "c.jpg", boxes(b"heic", b"mif1")),
        "hdr": with_chunk(tmp_path / "d.png", PARTS["tEXt"]),
    }
    store = _store(tmp_path, *(Item(name, {"image": path}) for name, path in paths.items()))
    assert store.status("image")[:2] == ["ok: first of 12 frames", "ok: first of 12 pages"]
    assert store.status("image")[2] == "ok"
    assert store.status("image")[3].startswith("failed: ")
    assert store.status("image")[3].endswith("c.jpg is a HEIC picture, which is not read; convert it to JPEG or PNG.")
    assert store.status("image")[4] == "ok"


def test_an_animation_as_a_video(tmp_path: Path) -> None:
    paths = [animation(tmp_path / f"a.{suffix}") for suffix in ("gif", "webp", "png", "avif", "tif")]
    store = _store(tmp_path, *(Item(path.name, with_own_sound({"video": path})) for path in paths))
    assert store.status("video") == ["ok"] * 5
    assert store.status("audio") == ["absent: no audio track"] * 5


def test_sounds(tmp_path: Path) -> None:
    one = tone(1.0, 440.0, 16000)
    soundfile.write(str(tmp_path / "anti.wav"), np.stack([one, -one], axis=1), 16000)
    chain = write_wav(tmp_path / "a.wav").read_bytes() * 2
    twice = encode_sound(tmp_path / "a.m4a", "aac").read_bytes() * 2
    store = _store(
        tmp_path,
        Item("anti", {"audio": tmp_path / "anti.wav"}),
        Item("chain", {"audio": _written(tmp_path / "chain.wav", chain)}),
        Item("twice", {"audio": _written(tmp_path / "twice.m4a", twice)}),
    )
    cancelled = "the channels cancel each other: their mean is silence"
    assert cancelled in store.status("audio")[0]
    assert store.status("audio")[1:] == [
        "ok",
        "ok: partial: another recording follows the first, and is not read",
    ]


def test_a_slanted_video_is_a_failure(tmp_path: Path) -> None:
    raw = bytearray(write_video(tmp_path / "a.mp4", n_frames=4).read_bytes())
    start = raw.index(b"tkhd") + 44
    raw[start : start + 20] = struct.pack(">5i", 0xB505, 0xB505, 0, -0xB505, 0xB505)
    store = _store(tmp_path, Item("a", {"video": _written(tmp_path / "b.mp4", bytes(raw))}))
    assert store.status("video")[0].endswith("b.mp4 is slanted by its display matrix; re-encode it upright.")
