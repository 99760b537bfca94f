"""The rows of the torture table: every kind of file, what becomes of it, and which frames it must give."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

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
from tests.media_factory import write_wav

ALL = tuple(range(N_FRAMES))
SLOWER = tuple(k * k for k in ALL)
OPEN_GOP = {"x264-params": "open-gop=1:bframes=3:keyint=5:min-keyint=1"}
FRAGMENTS = {"movflags": "frag_keyframe+empty_moov"}
FAST_START = {"movflags": "faststart"}

Make = Callable[[Path], Path]


@dataclass(frozen=True)
class Case:
    """One file: how it is made, the verdict on its picture and its sound, and its frames, `turns` quarters off."""

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


def _wrong_matrix(raw: bytearray) -> None:
    start = raw.find(b"icpf")
    while start >= 0:
        raw[start + 20] = 0x80
        start = raw.find(b"icpf", start + 1)


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
    Case("zeros after the end, gif",
         _derived("gif", lambda s, t: _append(s, t, bytes(50)), codec="gif", pix_fmt="rgb8")),
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
    Case("a colour matrix that no converter knows, prores",
         _derived("mov", _patch(_wrong_matrix), codec="prores_ks", pix_fmt="yuv422p10le"), "bad"),
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
        b"<!DOCTYPE html><html>404</html>", b"hello", b"\xff\xd8\xff\xe0" + bytes(100),
        b"%PDF-1.7\n" + bytes(range(256)),
        b"PK\x03\x04" + bytes(range(256)), np.random.default_rng(0).bytes(20000),
    )
]
# fmt: on


def verdict_on(path: Path, modality: str, n: int = 5) -> tuple[str, VideoClip | Waveform | str]:
    try:
        found = read_video(path, n) if modality == "video" else read_audio(path)
    except (NoVideoTrack, NoAudioTrack) as error:
        return "absent", error.message
    except UserError as error:
        assert error.kind == "media"
        return "bad", error.message
    return ("partial" if found.partial else "ok"), found
