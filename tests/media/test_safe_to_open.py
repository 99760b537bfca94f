"""No file makes us read another, wait for ever, or ask for memory without end; and a name is only a name."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import numpy as np
import pytest
import soundfile

from gramcli.errors import UserError
from gramcli.media import audio, limits, video
from gramcli.media.audio import read_audio
from gramcli.media.video import read_video
from tests.media.clips import encode, encode_sound
from tests.media.torture_cases import verdict_on
from tests.media_factory import write_image, write_wav

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


@pytest.mark.parametrize("suffix", ["mp4", "m3u8", "sdp", "ffconcat", "smil", "mpd", "txt", "wav"])
@pytest.mark.parametrize("name", PLAYLISTS)
def test_scripts_that_name_other_files_are_not_followed(name: str, suffix: str, tmp_path: Path) -> None:
    encode(tmp_path / "other.mp4", n=3, audio="aac")
    encode(tmp_path / "other.ts", n=3, audio="aac")
    for other in ("other.mp4", "other.ts", str(tmp_path / "other.ts"), "http://127.0.0.1:9/other.ts"):
        path = tmp_path / f"list.{suffix}"
        path.write_bytes(PLAYLISTS[name].format(other=other).encode())
        for modality in ("video", "audio"):
            assert verdict_on(path, modality)[0] == "bad"


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


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.mp4").mkdir()
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "loop.mp4").symlink_to("loop.mp4")
    (tmp_path / "dangling.mp4").symlink_to("gone.mp4")
    (tmp_path / "to_pipe.mp4").symlink_to("pipe.mp4")
    for device in ("null", "zero"):
        (tmp_path / f"{device}.mp4").symlink_to(f"/dev/{device}")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.mp4")
        for path in sorted(tmp_path.iterdir()):
            for modality in ("video", "audio"):
                verdict, message = verdict_on(path, modality)
                assert verdict == "bad", path
                assert str(message).startswith(str(path))


def test_a_sparse_file_of_8_gib_is_refused_at_once(tmp_path: Path) -> None:
    with (tmp_path / "sparse.mp4").open("wb") as file:
        file.truncate(8 * 2**30)
    assert verdict_on(tmp_path / "sparse.mp4", "video")[0] == "bad"
    assert verdict_on(tmp_path / "sparse.mp4", "audio")[0] == "bad"


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser reads every file")
def test_an_unreadable_file_is_said_to_be_so(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4")
    path.chmod(0)
    with pytest.raises(UserError, match="check its permissions"):
        read_video(path, 2)


@pytest.mark.parametrize(
    "name",
    [
        b"two  spaces .mp4", b" leading.mp4", b"quote'\".mp4", b"new\nline.mp4", b"-i.mp4", b"--help",
        b"latin1_\xe9.mp4",
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


def test_a_frame_over_the_limit_is_refused_with_the_limit_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = encode(tmp_path / "a.mp4")
    monkeypatch.setattr(video, "MAX_FRAME_PIXELS", 64 * 48 - 1)
    with pytest.raises(UserError, match=r"a\.mp4 has frames of 64 x 48, over the limit of 3071 pixels"):
        read_video(path, 2)


def test_frames_over_the_limit_together_are_refused_before_any_decodes(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4")
    n = limits.MAX_CLIP_BYTES // (64 * 48 * 3) + 1
    with pytest.raises(UserError, match=rf"{n} frames of 64 x 48 take more than the limit of 2147483648 bytes"):
        read_video(path, n)


@pytest.mark.parametrize("name", ["a.wav", "a.m4a"])
def test_sound_over_the_limit_is_refused_while_it_is_read(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_wav(tmp_path / name) if name == "a.wav" else encode_sound(tmp_path / name, "aac")
    monkeypatch.setattr(audio, "MAX_AUDIO_SAMPLES", 9000)
    with pytest.raises(UserError, match="holds more sound than the limit of 9000 samples"):
        read_audio(path)


def test_a_slow_rate_does_not_multiply_into_more_than_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_wav(tmp_path / "a.wav", sample_rate=8000)
    monkeypatch.setattr(audio, "MAX_AUDIO_SAMPLES", 15000)
    with pytest.raises(UserError, match="holds more sound than the limit of 15000 samples"):
        read_audio(path, 16000)


def test_a_header_of_many_channels_is_refused(tmp_path: Path) -> None:
    soundfile.write(str(tmp_path / "a.wav"), np.zeros((10, 65), np.float32), 16000)
    with pytest.raises(UserError, match="has 65 channels, over the limit of 64"):
        read_audio(tmp_path / "a.wav")


def test_no_reader_is_kept_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = encode(tmp_path / "a.mp4", audio="aac")
    descriptors = Path("/proc/self/fd")
    if not descriptors.is_dir():
        pytest.skip("no list of open files here")
    for held in (limits.MAX_HELD_BYTES, 0):
        monkeypatch.setattr("gramcli.media.timeline.MAX_HELD_BYTES", held)
        clip, sound = read_video(path, 3), read_audio(path)
        opened = [str(entry.readlink()) for entry in descriptors.iterdir() if entry.exists()]
        assert str(path) not in opened
        assert clip.total_frames
        assert sound.duration
