"""The track that holds the content is read, wherever it stands, and what was passed over is said."""

import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from gramcli.errors import UserError
from gramcli.media import timeline
from gramcli.media.audio import NoAudioTrack, read_audio
from gramcli.media.video import NoVideoTrack, read_video
from tests.media.clips import encode, patched
from tests.media_factory import frame, index_of, tone

SIZE = (64, 48)


def video(container: Any, codec: str = "libx264", size: tuple[int, int] = SIZE, disposition: int = 0) -> Any:
    stream = container.add_stream(codec, rate=10)
    stream.width, stream.height = size
    stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    stream.codec_context.gop_size = 4
    stream.disposition = disposition
    return stream


def sound(container: Any, codec: str = "aac", layout: str = "mono", disposition: int = 0, language: str = "") -> Any:
    stream = container.add_stream(codec, rate=16000, layout=layout)
    stream.disposition = disposition
    if language:
        stream.metadata["language"] = language
    return stream


def show(container: Any, stream: Any, indices: range) -> None:
    for k, index in enumerate(indices):
        picture = frame(index, (stream.width, stream.height), (150, 90, 60))
        made = av.VideoFrame.from_ndarray(picture, format="rgb24")
        made.pts, made.time_base = k, Fraction(1, 10)
        container.mux(stream.encode(made))
    container.mux(stream.encode(None))


def play(container: Any, stream: Any, hz: float) -> None:
    samples = tone(2.0, hz, 16000)
    channels = stream.codec_context.channels
    for start in range(0, len(samples), 1024):
        piece = np.repeat(samples[None, start : start + 1024], channels, axis=0)
        made = av.AudioFrame.from_ndarray(piece, format="fltp", layout=stream.codec_context.layout.name)
        made.sample_rate, made.pts, made.time_base = 16000, start, Fraction(1, 16000)
        container.mux(stream.encode(made))
    container.mux(stream.encode(None))


def pitch(path: Path) -> int:
    samples = read_audio(path).samples[8000:24000]
    return int(np.argmax(np.abs(np.fft.rfft(samples))))


def codes(path: Path, n: int = 5) -> list[int]:
    return [index_of(picture) for picture in read_video(path, n).frames]


@pytest.mark.parametrize("held", [None, 0])
@pytest.mark.parametrize("suffix", ["mkv", "mp4", "mov"])
@pytest.mark.parametrize("n_thumbnails", [1, 8])
def test_thumbnails_first(
    n_thumbnails: int, suffix: str, held: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"a.{suffix}"
    with av.open(str(path), "w") as container:
        thumbnails, clip = video(container, "mjpeg", (32, 24)), video(container)
        show(container, thumbnails, range(200, 200 + n_thumbnails))
        show(container, clip, range(20))
    if held is not None:
        monkeypatch.setattr(timeline, "MAX_HELD_BYTES", held)
    read = read_video(path, 5)
    assert read.total_frames == 20
    assert [index_of(picture) for picture in read.frames] == list(read.indices)
    what = "a single frame of mjpeg" if n_thumbnails == 1 else "thumbnails, mjpeg"
    assert read.notes == (f"passed over video track 1 ({what}, 32 x 24)",)


@pytest.mark.parametrize("suffix", ["ts", "mkv"])
def test_an_empty_track_first(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"
    with av.open(str(path), "w") as container:
        video(container, "mpeg2video")
        clip = video(container)
        container.start_encoding()
        show(container, clip, range(20))
    read = read_video(path, 5)
    assert [index_of(picture) for picture in read.frames] == list(read.indices)
    assert (read.total_frames, read.notes) == (20, ("passed over video track 1 (it is empty)",))


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
@pytest.mark.parametrize(
    ("sizes", "defaults", "best"),
    [
        ([SIZE, SIZE], (0, 0), 0),
        ([SIZE, (96, 64)], (0, 0), 1),
        ([(96, 64), SIZE], (0, 0), 0),
        ([(96, 64), SIZE], (0, 1), 1),
        ([SIZE, SIZE, (32, 32)], (0, 1, 0), 1),
    ],
)
def test_of_several_clips_the_one_ffmpeg_takes(sizes, defaults, best: int, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"
    with av.open(str(path), "w") as container:
        streams = [video(container, size=size, disposition=on) for size, on in zip(sizes, defaults, strict=True)]
        for number, stream in enumerate(streams):
            show(container, stream, range(40 * number, 40 * number + 20))
    with av.open(str(path)) as container:
        marked = [int(stream.disposition) & 1 for stream in container.streams.video]
    if any(marked) != any(defaults):  # some writers mark the first of their own accord
        best = marked.index(1)
    read = read_video(path, 5)
    assert [index_of(picture) for picture in read.frames] == [40 * best + index for index in read.indices]
    assert len(read.notes) == len(sizes) - 1
    assert all(note.startswith("passed over video track ") for note in read.notes)


@pytest.mark.parametrize("suffix", ["mkv", "ts"])
def test_an_empty_sound_track_first(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"
    with av.open(str(path), "w") as container:
        sound(container, "mp2")
        heard = sound(container)
        container.start_encoding()
        play(container, heard, 880)
    assert pitch(path) == 880
    assert read_audio(path).notes == ("passed over audio track 1 (it is empty)",)


@pytest.mark.parametrize(
    ("layouts", "defaults", "best"),
    [(("mono", "mono"), (0, 0), 0), (("mono", "stereo"), (0, 0), 1), (("stereo", "mono"), (0, 1), 1)],
)
def test_of_several_sounds_the_one_ffmpeg_takes(layouts, defaults, best: int, tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w", container_options={"default_mode": "passthrough"}) as container:
        languages = ("eng", "fre")
        streams = [
            sound(container, layout=layout, disposition=on, language=language)
            for layout, on, language in zip(layouts, defaults, languages, strict=True)
        ]
        for stream, hz in zip(streams, (440, 880), strict=True):
            play(container, stream, hz)
    assert pitch(path) == (440, 880)[best]
    other = 1 - best
    count = "1 channel" if layouts[other] == "mono" else "2 channels"
    note = f"passed over audio track {other + 1} (aac, {count}, {languages[other]})"
    assert read_audio(path).notes == (note,)


def renamed(old: bytes = b"mp4a", new: bytes = b"apac"):
    """Change the codec of the first description that has it: FFmpeg knows such a name and cannot decode it."""

    def change(raw: bytearray) -> None:
        found = re.search(rb"stsd.{12}" + old, raw, re.DOTALL)
        assert found is not None
        raw[found.end() - 4 : found.end()] = new
        if old == b"mp4a":  # which names its codec once more
            place = raw.index(b"esds", found.end())
            raw[place : place + 4] = b"junk"

    return change


def rewritten(raw: bytearray) -> None:
    raw[:] = raw.replace(b"A_AAC", b"A_XYZ")


def two_sounds(path: Path, codec: str = "aac") -> Path:
    with av.open(str(path), "w") as container:
        clip, streams = video(container), [sound(container, codec) for _ in range(2)]
        show(container, clip, range(20))
        for stream, hz in zip(streams, (440, 880), strict=True):
            play(container, stream, hz)
    return path


def test_a_codec_that_cannot_be_decoded_beside_one_that_can(tmp_path: Path) -> None:
    path = patched(two_sounds(tmp_path / "source.mp4"), tmp_path / "a.mp4", renamed())
    assert pitch(path) == 880
    assert read_audio(path).notes == ("passed over audio track 1 (its codec 'apac' cannot be decoded)",)


def test_nothing_but_a_codec_that_cannot_be_decoded(tmp_path: Path) -> None:
    path = patched(encode(tmp_path / "source.mp4", audio="aac"), tmp_path / "a.mp4", renamed())
    with pytest.raises(UserError, match=r"a\.mp4 is not an audio file .*: its codec 'apac' cannot be decoded; replace"):
        read_audio(path)
    assert codes(path) == list(read_video(path, 5).indices)


def test_the_same_in_matroska(tmp_path: Path) -> None:
    source = encode(tmp_path / "source.mkv", audio="aac")
    path = patched(source, tmp_path / "a.mkv", rewritten)
    with pytest.raises(UserError, match=r"its codec 'A_XYZ' cannot be decoded; replace"):
        read_audio(path)


def test_a_video_codec_that_cannot_be_decoded_is_named(tmp_path: Path) -> None:
    path = patched(encode(tmp_path / "source.mp4"), tmp_path / "a.mp4", renamed(b"avc1", b"zzzz"))
    with pytest.raises(UserError, match=r"a\.mp4 is not a video file .*: its codec 'zzzz' cannot be decoded; replace"):
        read_video(path, 2)


def test_a_thumbnail_does_not_stand_for_a_clip_that_cannot_be_decoded(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "source.mp4"), "w") as container:
        thumbnail, clip = video(container, "mjpeg", (32, 24)), video(container)
        show(container, thumbnail, range(1))
        show(container, clip, range(20))
    path = patched(tmp_path / "source.mp4", tmp_path / "a.mp4", renamed(b"avc1", b"zzzz"))
    with pytest.raises(UserError, match="its codec 'zzzz' cannot be decoded"):
        read_video(path, 2)


@pytest.mark.parametrize("suffix", ["mp3", "flac", "wav", "m4a", "ogg", "aac", "aiff"])
def test_sound_has_no_video_track(suffix: str, tmp_path: Path) -> None:
    codec = {"mp3": "libmp3lame", "wav": "pcm_s16le", "ogg": "libopus", "aiff": "pcm_s16be"}.get(suffix, "aac")
    from tests.media.clips import encode_sound

    path = encode_sound(tmp_path / f"a.{suffix}", "flac" if suffix == "flac" else codec)
    with pytest.raises(NoVideoTrack, match="has no video track; name it as audio or leave the item out"):
        read_video(path, 2)


def test_the_reported_files(reference_data: Path) -> None:
    folder = reference_data / "data" / "faults"
    clip = read_video(folder / "first_video_stream" / "thumbfirst.mkv", 8)
    assert (clip.total_frames, clip.frames.shape) == (16, (8, 64, 96, 3))
    assert clip.notes == ("passed over video track 1 (a single frame of mjpeg, 32 x 24)",)
    path = folder / "unknown_audio_codec" / "first_apac.mp4"
    assert pitch(path) == 880
    assert read_audio(path).notes == ("passed over audio track 1 (its codec 'apac' cannot be decoded)",)


@pytest.mark.parametrize("first", ["audio", "video"])
def test_a_track_that_the_index_lost_is_no_absence(first: str, tmp_path: Path) -> None:
    """The end of the file cuts the index between the two tracks."""
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        order = (first, "video" if first == "audio" else "audio")
        made = {name: {"audio": sound, "video": video}[name](container) for name in order}
        show(container, made["video"], range(8))
        play(container, made["audio"], 440.0)
    raw = (tmp_path / "a.mp4").read_bytes()
    second = [found.start() for found in re.finditer(b"trak", raw)][1]
    (tmp_path / "b.mp4").write_bytes(raw[: second + 16])
    lost = order[1]
    said = f"b.mp4 is not an? {lost} file .*: the end of the file is missing, and any {lost} track with it"
    with pytest.raises(UserError, match=said) as caught:
        read_video(tmp_path / "b.mp4", 2) if lost == "video" else read_audio(tmp_path / "b.mp4")
    assert not isinstance(caught.value, NoVideoTrack | NoAudioTrack)
