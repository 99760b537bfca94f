"""A torture corpus made on the spot: every row is a file, what becomes of it, and which frames it must give.

A frame carries its own index, so `frames` is checked against the picture itself. Of a damaged file the frames that come
out must be frames of the clip, in order and each once; how many there are at least is part of the row.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gramcli.errors import UserError
from gramcli.media.audio import NoAudioTrack, Waveform, read_audio
from gramcli.media.video import NoVideoTrack, VideoClip, read_video
from tests.media.clips import (
    HALF_TURN,
    N_FRAMES,
    NO_TURN,
    QUARTER_TURN,
    THREE_QUARTERS,
    cut,
    encode,
    encode_sound,
    flip,
    later,
    patched,
    remux,
    turn,
    zero,
)
from tests.media_factory import index_of, tone, write_image, write_wav

ALL = tuple(range(N_FRAMES))
SLOWER = tuple(k * k for k in ALL)
OPEN_GOP = {"x264-params": "open-gop=1:bframes=3:keyint=5:min-keyint=1"}
FRAGMENTS = {"movflags": "frag_keyframe+empty_moov"}
FAST_START = {"movflags": "faststart"}

Make = Callable[[Path], Path]


@dataclass(frozen=True)
class Case:
    """One file: how it is made, the verdict on its picture and its sound, and the frames it holds, turned back by `turns` quarters."""

    name: str
    make: Make
    video: str = "ok"
    audio: str = "absent"
    frames: tuple[int, ...] = ALL
    at_least: int = 0
    encoder: str = ""
    turns: int = 0


def clip(suffix: str, codec: str = "libx264", **how) -> Case:
    n = how.get("n", N_FRAMES)
    title = " ".join([suffix, codec, *(f"{key}={value}" for key, value in how.items() if key != "times")])
    title += " uneven times" if "times" in how else ""
    make = lambda folder: encode(folder / f"a.{suffix}", codec, **how)  # noqa: E731
    return Case(title, make, audio="ok" if how.get("audio") else "absent", frames=tuple(range(n)), encoder=codec)


WHOLE = [
    clip("mp4"),
    clip("mov"),
    clip("mkv"),
    clip("ts"),
    clip("m2ts"),
    clip("flv"),
    clip("avi"),
    clip("h264"),
    clip("mp4", pix_fmt="yuv444p"),
    clip("mp4", pix_fmt="yuv420p10le"),
    clip("mp4", options=OPEN_GOP),
    clip("mkv", options=OPEN_GOP),
    clip("ts", options=OPEN_GOP),
    clip("mp4", gop=250),
    clip("mp4", gop=1),
    clip("mp4", options={"x264-params": "keyint=infinite:intra-refresh=1"}),
    clip("mp4", mux=FRAGMENTS),
    clip("mp4", mux=FRAGMENTS, audio="aac"),
    clip("mp4", mux=FAST_START, audio="aac"),
    clip("mp4", "libx265"),
    clip("mkv", "libx265", pix_fmt="yuv420p10le"),
    clip("mp4", "libx265", pix_fmt="yuv444p"),
    clip("ts", "libx265"),
    clip("hevc", "libx265"),
    clip("webm", "libvpx"),
    clip("webm", "libvpx", options={"auto-alt-ref": "1", "lag-in-frames": "16"}, gop=20),
    clip("webm", "libvpx-vp9", audio="libopus"),
    clip("webm", "libvpx-vp9", options={"auto-alt-ref": "1", "lag-in-frames": "16"}, gop=20),
    clip("mp4", "libvpx-vp9"),
    clip("ivf", "libvpx-vp9"),
    clip("mp4", "libsvtav1", size=(64, 64)),
    clip("webm", "libsvtav1", size=(64, 64)),
    clip("obu", "libsvtav1", size=(64, 64)),
    clip("avi", "mpeg4", audio="libmp3lame"),
    clip("avi", "mpeg4", options={"bf": "2"}),
    clip("mp4", "mpeg4", options={"bf": "2"}),
    clip("avi", "mpeg4", times=tuple(2 * k for k in ALL)),
    clip("3gp", "h263", size=(128, 96)),
    clip("mpg", "mpeg1video", fps=25),
    clip("mpg", "mpeg2video", fps=25, options={"bf": "2"}, audio="mp2"),
    clip("ts", "mpeg2video", fps=25, audio="mp2"),
    clip("vob", "mpeg2video", fps=25),
    clip("mxf", "mpeg2video", fps=25),
    clip("mov", "prores_ks", pix_fmt="yuv422p10le", audio="pcm_s16le"),
    clip("mov", "mjpeg", pix_fmt="yuvj420p"),
    clip("avi", "mjpeg", pix_fmt="yuvj420p"),
    clip("mov", "png", pix_fmt="rgb24"),
    clip("wmv", "wmv2"),
    clip("flv", "flv"),
    clip("gif", "gif", pix_fmt="rgb8"),
    clip("gif", "gif", pix_fmt="rgb8", times=tuple(2 * k for k in ALL)),
    clip("mkv", "ffv1", audio="flac"),
    clip("avi", "huffyuv", pix_fmt="yuv422p"),
    clip("mkv", size=(33, 17), pix_fmt="yuv444p"),
    clip("webm", "libvpx-vp9", size=(33, 17)),
    clip("mp4", size=(16, 16)),
    clip("mp4", size=(96, 32)),
    clip("mp4", times=SLOWER),
    clip("mkv", times=SLOWER),
    clip("ts", times=SLOWER),
    clip("flv", times=SLOWER),
    clip("mp4", n=1),
    clip("ts", n=1),
    clip("webm", "libvpx", n=1),
    clip("mp4", n=3),
    clip("gif", "gif", pix_fmt="rgb8", n=2),
]


def _derived(suffix: str, change: Callable[[Path, Path], Path], as_suffix: str = "", **how) -> Make:
    """Encode a clip, then make the file of the row from it."""

    def make(folder: Path) -> Path:
        codec = how.get("codec", "libx264")
        source = encode(folder / f"source.{suffix}", codec, **{k: v for k, v in how.items() if k != "codec"})
        return change(source, folder / f"a.{as_suffix or suffix}")

    return make


def _moved(seconds: float) -> Callable[[Path, Path], Path]:
    return lambda source, target: remux(source, target, later(seconds))


def _without(*numbers: int) -> Callable[[Path, Path], Path]:
    return lambda source, target: remux(source, target, lambda number, packet: number not in numbers)


def _cut(share: float) -> Callable[[Path, Path], Path]:
    return lambda source, target: cut(source, target, share)


def _cut_after(box: bytes) -> Callable[[Path, Path], Path]:
    def change(source: Path, target: Path) -> Path:
        raw = source.read_bytes()
        target.write_bytes(raw[: raw.rindex(box) + 60])
        return target

    return change


def _patch(change: Callable[[bytearray], object]) -> Callable[[Path, Path], Path]:
    return lambda source, target: patched(source, target, change)


def _renamed(source: Path, target: Path) -> Path:
    return source.rename(target)


def _lose_type(raw: bytearray) -> None:
    raw[raw.index(b"trak") : raw.index(b"trak") + 4] = b"junk"


# fmt: off
ODD = [
    Case("edit list hides 5 frames", _derived("mp4", _moved(-0.5)), frames=ALL[5:]),
    Case("edit list hides 7 of 20, into a group", _derived("mp4", _moved(-0.7)), frames=ALL[7:]),
    Case("edit list hides B-frames", _derived("mp4", _moved(-0.8), options={"bf": "3"}, gop=20), frames=ALL[8:]),
    Case("starts at 100 s, mp4", _derived("mp4", _moved(100))),
    Case("starts at 100 s, mkv", _derived("mkv", _moved(100))),
    Case("starts at 10 s, ts", _derived("ts", _moved(10))),
    Case("turned by a quarter", _derived("mp4", _patch(turn(QUARTER_TURN))), turns=1),
    Case("upside down", _derived("mp4", _patch(turn(HALF_TURN))), turns=2),
    Case("turned by three quarters", _derived("mp4", _patch(turn(THREE_QUARTERS))), turns=3),
    Case("display matrix of zeros", _derived("mp4", _patch(turn(NO_TURN)))),
    Case("display matrix of garbage", _derived("mp4", _patch(turn(b"\0\0\0\1" * 9)))),
    Case("mp4 named .wav", _derived("mp4", _renamed, "wav", audio="aac"), audio="ok"),
    Case("mkv named .mp4", _derived("mkv", _renamed, "mp4")),
    Case("ts named .jpg", _derived("ts", _renamed, "jpg")),
    Case("no suffix", _derived("webm", lambda s, t: s.rename(t.with_suffix("")), codec="libvpx")),
    Case("junk after the end, mp4", _derived("mp4", lambda s, t: _append(s, t, os.urandom(999)))),
    Case("zeros after the end, gif", _derived("gif", lambda s, t: _append(s, t, bytes(50)), codec="gif", pix_fmt="rgb8")),
]
DAMAGED = [
    *(Case(f"faststart mp4 cut at {share}", _derived("mp4", _cut(share), mux=FAST_START, audio="aac"),
           "partial", "partial", at_least=least) for share, least in ((0.4, 3), (0.6, 8), (0.8, 13))),
    *(Case(f"mp4 without its index, cut at {share}", _derived("mp4", _cut(share), audio="aac"), "bad", "bad")
      for share in (0.1, 0.5)),
    Case("mp4 cut in its index", _derived("mp4", _cut_after(b"moov"), audio="aac"), "bad", "bad"),
    Case("mp4 cut in the index of its sound", _derived("mp4", _cut_after(b"trak"), audio="aac"), "partial", "bad",
         at_least=20),
    *(Case(f"fragmented mp4 cut at {share}", _derived("mp4", _cut(share), mux=FRAGMENTS), "partial", at_least=least)
      for share, least in ((0.5, 5), (0.97, 15))),
    *(Case(f"mkv cut at {share}", _derived("mkv", _cut(share), audio="aac"), "partial", "partial", at_least=least)
      for share, least in ((0.3, 3), (0.9, 15))),
    *(Case(f"webm cut at {share}", _derived("webm", _cut(share), codec="libvpx"), "partial", at_least=3)
      for share in (0.5, 0.9)),
    *(Case(f"ts cut at {share}", _derived("ts", _cut(share), audio="aac"), "partial", "partial", at_least=3)
      for share in (0.303, 0.901)),
    Case("flv cut", _derived("flv", _cut(0.6), audio="aac"), "partial", "partial", at_least=8),
    Case("avi cut", _derived("avi", _cut(0.8), codec="mpeg4"), "partial", at_least=3),
    Case("wmv cut", _derived("wmv", _cut(0.3), codec="wmv2"), "partial", at_least=3),
    Case("mpg cut", _derived("mpg", _cut(0.333), codec="mpeg2video", fps=25), "partial", at_least=3),
    Case("gif cut", _derived("gif", _cut(0.5), codec="gif", pix_fmt="rgb8"), "partial", at_least=5),
    Case("prores cut", _derived("mov", _cut(0.7), codec="prores_ks", pix_fmt="yuv422p10le", mux=FAST_START),
         "partial", at_least=10),
    Case("zeroed middle, h264", _derived("mp4", _patch(zero(0.3, 0.5))), "partial", at_least=5),
    Case("zeroed middle, hevc", _derived("mp4", _patch(zero(0.3, 0.5)), codec="libx265"), "partial", at_least=3),
    Case("zeroed middle, prores", _derived("mov", _patch(zero(0.3, 0.5)), codec="prores_ks", pix_fmt="yuv422p10le"),
         "partial", at_least=10),
    Case("zeroed middle, one long group", _derived("mp4", _patch(zero(0.6, 0.7)), gop=250), "partial", at_least=3),
    Case("zeroed start", _derived("mp4", _patch(zero(0.0, 0.1))), "partial", at_least=5),
    Case("zeroed end", _derived("mp4", _patch(zero(0.95, 1.0))), "partial", at_least=10),
    Case("all zeros", _derived("mp4", _patch(zero(0.0, 1.0))), "bad"),
    Case("first keyframe lost, ts", _derived("ts", _without(0)), "partial", at_least=10),
    Case("first keyframe lost, mkv", _derived("mkv", _without(0)), "partial", at_least=10),
    Case("track box renamed", _derived("mp4", _patch(_lose_type)), "bad", "bad"),
    *(Case(f"bits flipped, h264 {seed}", _derived("mkv", _patch(flip(seed, 3))), "any", at_least=1)
      for seed in range(4)),
]


def _append(source: Path, target: Path, more: bytes) -> Path:
    target.write_bytes(source.read_bytes() + more)
    return target


def _bytes(content: bytes, suffix: str = "mp4") -> Make:
    def make(folder: Path) -> Path:
        path = folder / f"a.{suffix}"
        path.write_bytes(content)
        return path

    return make


def _sound(name: str, codec: str, share: float = 1.0, **how) -> Make:
    return lambda folder: cut(encode_sound(folder / f"whole_{name}", codec, **how), folder / name, share)


def _wav(share: float) -> Make:
    return lambda folder: cut(write_wav(folder / "whole.wav", 2.0), folder / "a.wav", share)


SOUNDS = [
    *(Case(f"sound {name}", _sound(name, codec), "absent", "ok", encoder=codec) for name, codec in (
        ("a.wav", "pcm_s16le"), ("a.mp3", "libmp3lame"), ("a.m4a", "aac"), ("a.aac", "aac"), ("a.flac", "flac"),
        ("a.opus", "libopus"), ("a.ogg", "libopus"), ("a.mka", "aac"), ("a.ac3", "ac3"), ("a.aiff", "pcm_s16be"),
        ("a.au", "pcm_s16be"), ("a.caf", "pcm_s16le"), ("a.wv", "wavpack"), ("a.tta", "tta"), ("a.mp2", "mp2"),
    )),
    Case("mp3 in name, m4a in truth", lambda f: encode_sound(f / "a.m4a", "aac").rename(f / "a.mp3"), "absent", "ok"),
    Case("wav cut", _wav(0.5), "absent", "partial"),
    Case("wav of a header only", _wav(0.0006), "absent|bad", "bad"),
    Case("mp3 cut", _sound("a.mp3", "libmp3lame", 0.6), "absent", "partial"),
    Case("flac cut", _sound("a.flac", "flac", 0.6), "absent", "partial"),
    Case("opus cut", _sound("a.opus", "libopus", 0.6), "absent", "partial"),
    Case("m4a cut, index first", _sound("a.m4a", "aac", 0.6, mux=FAST_START), "absent", "partial"),
    Case("m4a cut, index last", _sound("a.m4a", "aac", 0.6), "absent|bad", "bad"),
]
NO_MEDIA = [
    Case(f"bytes: {content[:24]!r}", _bytes(content), "bad", "bad") for content in (
        b"", bytes(5000), b"\x00\x00\x00\x18ftypisom", b"RIFF\xff\xff\xff\xffAVI LIST", b"\x1aE\xdf\xa3" + b"\xff" * 40,
        b"<!DOCTYPE html><html>404</html>", b"hello", b"\xff\xd8\xff\xe0" + bytes(100), b"%PDF-1.7\n" + bytes(range(256)),
        b"PK\x03\x04" + bytes(range(256)), np.random.default_rng(0).bytes(20000),
    )
]
PLAYLISTS = {
    "hls": "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{other}\n#EXT-X-ENDLIST\n",
    "hls after a mark": "\ufeff#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{other}\n",
    "hls after space": " \n\t\n#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{other}\n",
    "hls after junk": "\x00\x01\x02#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{other}\n",
    "hls, lower case": "#extm3u\n{other}\n",
    "ffconcat": "ffconcat version 1.0\nfile '{other}'\n",
    "sdp": "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\nc=IN IP4 127.0.0.1\r\nm=video 5004 RTP/AVP 96\r\n",
    "smil": "<smil><body><video src='{other}'/></body></smil>",
    "dash": "<?xml version='1.0'?>\n<!-- x -->\n<MPD><Period><BaseURL>{other}</BaseURL></Period></MPD>",
    "asx": "<ASX version='3'><entry><ref href='{other}'/></entry></ASX>",
    "pls": "[playlist]\nFile1={other}\n",
    "smooth": "<SmoothStreamingMedia MajorVersion='2'></SmoothStreamingMedia>",
    "imf": "<?xml version='1.0'?><CompositionPlaylist/>",
    "plain list": "{other}\n",
    "concat without its head": "file '{other}'\nduration 1\n",
}
# fmt: on


def _verdict(path: Path, modality: str, n: int = 5) -> tuple[str, VideoClip | Waveform | str]:
    try:
        found = read_video(path, n) if modality == "video" else read_audio(path)
    except (NoVideoTrack, NoAudioTrack) as error:
        return "absent", error.message
    except UserError as error:
        assert error.kind == "media"
        return "bad", error.message
    return ("partial" if found.partial else "ok"), found


def _check_encoder(codec: str) -> None:
    if codec and codec not in av.codecs_available:
        pytest.skip(f"this PyAV has no {codec}")


@pytest.mark.parametrize("case", [*WHOLE, *ODD], ids=lambda case: case.name)
def test_whole_files_give_the_frames_asked_for(case: Case, tmp_path: Path) -> None:
    _check_encoder(case.encoder)
    path = case.make(tmp_path)
    verdict, found = _verdict(path, "video")
    assert verdict == case.video == "ok", found
    assert isinstance(found, VideoClip)
    assert found.total_frames == len(case.frames)
    codes = [index_of(np.rot90(picture, case.turns)) for picture in found.frames]
    assert codes == [case.frames[index] for index in found.indices]
    assert found.partial is False
    assert (found.notes == ()) == (len(case.frames) >= 5)
    assert _verdict(path, "audio")[0] == case.audio, _verdict(path, "audio")[1]


@pytest.mark.parametrize("case", DAMAGED, ids=lambda case: case.name)
def test_damaged_files_give_right_frames_or_none(case: Case, tmp_path: Path) -> None:
    path = case.make(tmp_path)
    verdict, found = _verdict(path, "video", N_FRAMES)
    assert verdict == case.video or (case.video == "any" and verdict in {"ok", "partial"}), found
    if isinstance(found, VideoClip):
        codes = [index_of(picture) for picture in found.frames][: found.total_frames]
        assert codes == sorted(set(codes))
        assert len(codes) >= case.at_least
        assert verdict == "partial" or codes == list(ALL)
    assert _verdict(path, "audio")[0] == case.audio


@pytest.mark.parametrize("case", SOUNDS, ids=lambda case: case.name)
def test_sound_is_whole_partial_or_refused(case: Case, tmp_path: Path) -> None:
    _check_encoder(case.encoder)
    path = case.make(tmp_path)
    assert _verdict(path, "video")[0] in case.video.split("|")
    verdict, found = _verdict(path, "audio")
    assert verdict == case.audio, found
    if isinstance(found, Waveform):
        assert abs(found.duration - 2.0) < 0.15 if verdict == "ok" else 0.5 < found.duration < 1.6
        wanted = tone(1.0, 440.0, 16000)
        spectrum = np.abs(np.fft.rfft(found.samples[:8000]))
        assert abs(int(np.argmax(spectrum)) * 2 - 440) <= 4
        assert np.abs(found.samples).max() == pytest.approx(np.abs(wanted).max(), rel=0.2)


@pytest.mark.parametrize("case", NO_MEDIA, ids=lambda case: case.name)
def test_bytes_that_are_no_media_end_in_one_sentence(case: Case, tmp_path: Path) -> None:
    path = case.make(tmp_path)
    for modality in ("video", "audio"):
        verdict, message = _verdict(path, modality)
        assert verdict == "bad"
        assert str(message).startswith(str(path))
        assert "\n" not in str(message)


@pytest.mark.parametrize("suffix", ["mp4", "m3u8", "sdp", "ffconcat", "smil", "mpd", "txt", "wav"])
@pytest.mark.parametrize("name", PLAYLISTS)
def test_scripts_that_name_other_files_are_not_followed(name: str, suffix: str, tmp_path: Path) -> None:
    encode(tmp_path / "other.mp4", n=3, audio="aac")
    encode(tmp_path / "other.ts", n=3, audio="aac")
    for other in ("other.mp4", "other.ts", str(tmp_path / "other.ts"), "http://127.0.0.1:9/other.ts"):
        path = tmp_path / f"list.{suffix}"
        path.write_bytes(PLAYLISTS[name].format(other=other).encode())
        for modality in ("video", "audio"):
            assert _verdict(path, modality)[0] == "bad"


def test_a_playlist_is_called_one(tmp_path: Path) -> None:
    for name in ("hls", "hls after a mark", "hls after junk", "ffconcat", "sdp", "smil", "dash", "asx", "pls", "imf"):
        path = tmp_path / "a.mp4"
        path.write_bytes(PLAYLISTS[name].format(other="x.ts").encode())
        with pytest.raises(UserError, match=r"a\.mp4 is a playlist"):
            read_video(path, 2)


def test_a_number_pattern_reads_no_other_picture(tmp_path: Path) -> None:
    for number in range(1, 4):
        write_image(tmp_path / f"a_{number:03d}.png")
    with pytest.raises(UserError, match="file not found"):
        read_video(tmp_path / "a_%03d.png", 2)
    write_image(tmp_path / "a_%03d.png")
    with pytest.raises(UserError, match="it is a picture"):
        read_video(tmp_path / "a_%03d.png", 2)


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "folder.mp4").mkdir()
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "loop.mp4").symlink_to("loop.mp4")
    (tmp_path / "dangling.mp4").symlink_to("gone.mp4")
    (tmp_path / "to_pipe.mp4").symlink_to("pipe.mp4")
    for device in ("null", "zero"):
        (tmp_path / f"{device}.mp4").symlink_to(f"/dev/{device}")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket.mp4")[-100:] if len(str(tmp_path)) < 90 else os.devnull + ".gramcli-test")
        for path in sorted(tmp_path.iterdir()):
            for modality in ("video", "audio"):
                verdict, message = _verdict(path, modality)
                assert verdict == "bad", path
                assert str(message).startswith(str(path))


def test_a_sparse_file_of_8_gib_is_refused_at_once(tmp_path: Path) -> None:
    with (tmp_path / "sparse.mp4").open("wb") as file:
        file.truncate(8 * 2**30)
    assert _verdict(tmp_path / "sparse.mp4", "video")[0] == "bad"
    assert _verdict(tmp_path / "sparse.mp4", "audio")[0] == "bad"


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser reads every file")
def test_an_unreadable_file_is_said_to_be_so(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4")
    path.chmod(0)
    with pytest.raises(UserError, match="check its permissions"):
        read_video(path, 2)


@pytest.mark.parametrize(
    "name",
    [
        b"two  spaces .mp4", b" leading.mp4", b"quote'\".mp4", b"new\nline.mp4", b"-i.mp4", b"--help", b"latin1_\xe9.mp4",
        b"a:b.mp4", b"http:x.mp4", b"concat:a|b.mp4", b"%03d.mp4", b"*.mp4", b"[ab].mp4", b"$(id).mp4", b"\\.mp4",
        "пример-例.mp4".encode(), b"n" * 251 + b".mp4", b"#.mp4", b"?x=1.mp4",
    ],
)  # fmt: skip
def test_a_name_is_only_a_name(name: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = encode(tmp_path / "source.mp4", n=6, audio="aac")
    monkeypatch.chdir(tmp_path)
    path = source.rename(os.fsdecode(name))
    assert read_video(path, 6).indices == (0, 1, 2, 3, 4, 5)
    assert not read_audio(path).partial


@pytest.fixture(scope="module")
def small_mp4(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = encode(tmp_path_factory.mktemp("small") / "a.mp4", n=8, gop=4, mux=FAST_START, audio="aac")
    return path.read_bytes()


@pytest.fixture(scope="module")
def mutant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mutant") / "a.mp4"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_cut_file_gives_right_frames_or_one_sentence(small_mp4: bytes, mutant: Path, data: st.DataObject) -> None:
    mutant.write_bytes(small_mp4[: data.draw(st.integers(1, len(small_mp4)))])
    verdict, found = _verdict(mutant, "video", 8)
    if isinstance(found, VideoClip):
        codes = [index_of(picture) for picture in found.frames][: found.total_frames]
        assert codes == sorted(set(codes))
        assert verdict == ("ok" if len(codes) == 8 else "partial")


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_changed_bytes_never_end_in_anything_but_a_clip_or_one_sentence(
    small_mp4: bytes, mutant: Path, data: st.DataObject
) -> None:
    raw = bytearray(small_mp4)
    for place, value in data.draw(
        st.lists(st.tuples(st.integers(0, len(raw) - 1), st.integers(0, 255)), min_size=1, max_size=6)
    ):
        raw[place] = value
    mutant.write_bytes(raw)
    for modality in ("video", "audio"):
        verdict, found = _verdict(mutant, modality, 3)
        if isinstance(found, VideoClip):
            assert found.frames.shape[0] == len(found.indices) == 3
            assert found.frames.shape[-1] == 3
            assert 0 <= min(found.indices) <= max(found.indices) < found.total_frames
            assert all(note.startswith("partial: ") for note in found.notes) or found.total_frames < 3
        elif isinstance(found, Waveform):
            assert np.isfinite(found.samples).all()
        else:
            assert verdict in {"bad", "absent"}
            assert str(found).startswith(str(mutant))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_zeroed_stretch_of_the_frames_shows_no_wrong_one(small_mp4: bytes, mutant: Path, data: st.DataObject) -> None:
    start = small_mp4.index(b"mdat") + 4
    low = data.draw(st.integers(start, len(small_mp4) - 1))
    high = data.draw(st.integers(low + 16, low + 2000))
    mutant.write_bytes(small_mp4[:low] + bytes(min(high, len(small_mp4)) - low) + small_mp4[high:])
    verdict, found = _verdict(mutant, "video", 8)
    if isinstance(found, VideoClip):
        codes = [index_of(picture) for picture in found.frames][: found.total_frames]
        assert codes == sorted(set(codes))
        assert verdict == "partial" or codes == list(range(8))
