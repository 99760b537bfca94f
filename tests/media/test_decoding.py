"""Each frame is known by the packet it came from, whatever else is being decoded."""

from pathlib import Path

import pytest

from gramcli.errors import UserError
from gramcli.media.container import open_container, packets, strict_decoder
from gramcli.media.decoding import Damage, decode_packets
from gramcli.media.timeline import Facts, read_timeline
from gramcli.media.video import read_video
from tests.media.clips import encode
from tests.media_factory import index_of


def test_a_clip_that_ends_takes_no_label_of_another_along(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4")
    with open_container(path, "video") as container:
        track = container.streams.video[0]
        context = strict_decoder(track)
        timeline = read_timeline(track, packets(container, track, []))
        assert timeline.held is not None
        times = [packet.pts for packet in timeline.facts]
        for number, frame in decode_packets(context, enumerate(timeline.held), Damage(timeline.facts)):
            assert frame.pts == times[number]
            assert sorted(times).index(frame.pts) == index_of(frame.to_ndarray(format="rgb24"))
            read_video(path, 20)


def _facts(pattern: str) -> list[Facts]:
    return [Facts(number, 1, letter == "K", False) for number, letter in enumerate(pattern)]


def _spoilt(facts: list[Facts], *bad: int) -> list[int]:
    damage = Damage(facts)
    for number in bad:
        damage.add(number)
    return [number for number in range(len(facts)) if damage.reaches(number)]


def test_damage_reaches_up_to_the_next_keyframe() -> None:
    assert _spoilt(_facts("KppKppKpp"), 1) == [1, 2]
    assert _spoilt(_facts("KppKppKpp"), 3) == [3, 4, 5]
    assert _spoilt(_facts("KppKppKpp"), 7) == [7, 8]
    assert _spoilt(_facts("KppKppKpp"), 1, 2, 6) == [1, 2, 6, 7, 8]
    assert _spoilt(_facts("KKKK"), 2) == [2]
    assert _spoilt(_facts("Kppp")) == []


def test_what_precedes_the_first_keyframe_is_spoilt() -> None:
    assert _spoilt(_facts("ppKpp")) == [0, 1]
    assert _spoilt(_facts("pppp")) == []


def test_frames_shown_before_a_keyframe_lean_on_the_group_before_it() -> None:
    stored = [Facts(pts, 1, key, False) for pts, key in ((0, True), (1, False), (4, True), (2, False), (5, False))]
    assert _spoilt(stored, 1) == [1, 3]
    assert _spoilt(stored, 4) == [4]


def test_a_file_that_loses_everything_is_refused(tmp_path: Path) -> None:
    raw = encode(tmp_path / "a.mp4", n=4, gop=1).read_bytes()
    start = raw.index(b"mdat") + 4
    length = int.from_bytes(raw[start - 8 : start - 4], "big") - 8
    (tmp_path / "b.mp4").write_bytes(raw[:start] + bytes(length) + raw[start + length :])
    with pytest.raises(UserError, match="no frame can be decoded"):
        read_video(tmp_path / "b.mp4", 2)
