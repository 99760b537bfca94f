"""Bytes that a transport stream lost are noted, and no frame that leans on them is given."""

from pathlib import Path

import pytest

from gramcli.media.video import read_video
from tests.media.clips import N_FRAMES, encode
from tests.media_factory import index_of

VIDEO = 0x100


def _starts_frame(packet: bytes) -> bool:
    return int.from_bytes(packet[1:3], "big") & 0x5FFF == 0x4000 | VIDEO


def _of_video(packet: bytes) -> bool:
    return int.from_bytes(packet[1:3], "big") & 0x1FFF == VIDEO


@pytest.mark.parametrize("codec", ["libx264", "mpeg2video", "libx265"])
def test_a_lost_packet_costs_frames_but_shows_no_wrong_one(codec: str, tmp_path: Path) -> None:
    raw = encode(tmp_path / "a.ts", codec, fps=25 if codec == "mpeg2video" else 10).read_bytes()
    packets = [raw[start : start + 188] for start in range(0, len(raw), 188)]
    # FFmpeg does not know of a second frame that is missing, nor can anything tell of a last one.
    frames = [place for place, packet in enumerate(packets) if _starts_frame(packet)]
    lost = [place for place in range(frames[2], frames[-1]) if _of_video(packets[place])]
    for place in lost:
        (tmp_path / "b.ts").write_bytes(b"".join(packets[:place] + packets[place + 1 :]))
        clip = read_video(tmp_path / "b.ts", N_FRAMES)
        codes = [index_of(picture) for picture in clip.frames][: clip.total_frames]
        assert codes == sorted(set(codes)), place
        assert clip.partial or codes == list(range(N_FRAMES)), place


def test_recordings_that_are_joined_lose_nothing(tmp_path: Path) -> None:
    first, second = (encode(tmp_path / f"{n}.ts", n=n).read_bytes() for n in (15, 20))
    (tmp_path / "a.ts").write_bytes(first + second)
    clip = read_video(tmp_path / "a.ts", 35)
    assert [index_of(picture) for picture in clip.frames] == [*range(15), *range(20)]
    assert clip.notes == ()
