"""What is there and not seen or heard is said: sound that cancels, colours beyond the screen's."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from PIL import Image

from gramcli.media import timeline
from gramcli.media.audio import read_audio
from gramcli.media.image import read_picture
from gramcli.media.video import read_video
from tests.media.clips import encode
from tests.media.test_ancillary import chunk, with_chunk
from tests.media_factory import tone

CANCEL = "the channels cancel each other: their mean is silence"


def _sound(path: Path, *gains: float, noise: float = 0.0) -> Path:
    rng = np.random.default_rng(0)
    rows = [gain * tone(1.0, 440.0, 16000) + noise * rng.standard_normal(16000) for gain in gains]
    soundfile.write(str(path), np.stack(rows, axis=1), 16000)
    return path


def _remuxed(source: Path, target: Path, codec: str) -> Path:
    """Encode the sound of a file again."""
    with av.open(str(source)) as read, av.open(str(target), "w") as write:
        stream = write.add_stream(codec, rate=16000, layout="stereo")
        resampler = av.AudioResampler(format=stream.codec_context.format.name, layout="stereo", rate=16000)
        for frame in read.decode(audio=0):
            for piece in resampler.resample(frame):
                piece.pts = None
                write.mux(stream.encode(piece))
        write.mux(stream.encode(None))
    return target


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mka"])
@pytest.mark.parametrize("gains", [(1, -1), (1, -1, 1, -1), (0.5, -0.5)])
def test_channels_that_cancel(gains: tuple[float, ...], suffix: str, tmp_path: Path) -> None:
    path = _sound(tmp_path / f"a.{'wav' if suffix == 'mka' else suffix}", *gains)
    if suffix == "mka":
        with av.open(str(path)) as read, av.open(str(tmp_path / "b.mka"), "w") as write:
            stream = write.add_stream_from_template(read.streams.audio[0])
            for packet in read.demux(read.streams.audio[0]):
                if packet.size:
                    packet.stream = stream
                    write.mux(packet)
        path = tmp_path / "b.mka"
    assert read_audio(path).notes == (CANCEL,)
    assert read_audio(path, channels="first").notes == ()


@pytest.mark.parametrize(("name", "codec"), [("a.mp3", "libmp3lame"), ("a.m4a", "aac")])
def test_channels_that_cancel_after_lossy_coding(name: str, codec: str, tmp_path: Path) -> None:
    path = _remuxed(_sound(tmp_path / "a.wav", 1, -1), tmp_path / name, codec)
    assert CANCEL in read_audio(path).notes


@pytest.mark.parametrize("gains", [(1,), (1, 1), (1, 0), (1, -0.5), (0, 0), (1, 0, 0, 0, 0, 0)])
def test_channels_that_do_not(gains: tuple[float, ...], tmp_path: Path) -> None:
    assert read_audio(_sound(tmp_path / "a.wav", *gains)).notes == ()


def test_independent_channels_do_not_cancel(tmp_path: Path) -> None:
    assert read_audio(_sound(tmp_path / "a.wav", 0, 0, noise=0.1)).notes == ()


def test_a_silent_first_channel(tmp_path: Path) -> None:
    path = _sound(tmp_path / "a.wav", 0, 1)
    assert read_audio(path, channels="first").notes == ("the first channel is silent, others are not",)
    assert read_audio(path).notes == ()


def _graded(path: Path, transfer: int, codec: str = "libx264") -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p10le"
        stream.codec_context.color_trc = transfer
        stream.codec_context.color_primaries, stream.codec_context.colorspace = 9, 9
        for index in range(10):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 100, np.uint8), format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("held", [None, 0])
@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG"), (1, ""), (14, "")])
def test_high_dynamic_range(
    transfer: int, name: str, suffix: str, held: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _graded(tmp_path / f"a.{suffix}", transfer)
    if held is not None:
        monkeypatch.setattr(timeline, "MAX_HELD_BYTES", held)
    assert read_video(path, 4).notes == ((f"HDR ({name}) read as SDR, colours are off",) if name else ())


def test_an_ordinary_clip_has_no_remark(tmp_path: Path) -> None:
    assert read_video(encode(tmp_path / "a.mp4"), 4).notes == ()


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG"), (13, "")])
def test_pictures_of_high_dynamic_range(transfer: int, name: str, tmp_path: Path) -> None:
    due = (f"HDR ({name}) read as SDR, colours are off",) if name else ()
    path = with_chunk(tmp_path / "a.png", chunk(b"cICP", bytes([9, transfer, 0, 1])))
    assert read_picture(path).notes == due
    Image.new("RGB", (64, 48), (90, 90, 90)).save(tmp_path / "a.avif")
    raw = (tmp_path / "a.avif").read_bytes()
    at = raw.index(b"colrnclx") + 10
    (tmp_path / "a.avif").write_bytes(raw[:at] + transfer.to_bytes(2, "big") + raw[at + 2 :])
    assert read_picture(tmp_path / "a.avif").notes == due
