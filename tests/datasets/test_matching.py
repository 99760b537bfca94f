"""File names and ids: every spelling in circulation, and none that would answer a segment by its whole video."""

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gramcli.datasets.matching import RULES, match
from gramcli.datasets.tree import File

YOUTUBE = st.text(string.ascii_letters + string.digits + "-_", min_size=11, max_size=11)


@pytest.mark.parametrize(
    ("rule", "name", "file"),
    [
        ("id", "video7010", "video7010.MP4"),
        ("id", "G9zN5TTuGO4_000179_000189", "G9zN5TTuGO4_000179_000189.webm"),
        ("id", "GOD8Bt5LfDE_100.000_110.000", "GOD8Bt5LfDE_100.000_110.000"),  # no suffix at all
        ("id without its suffix", "26292851@N04_4253489686_265c3c8051.avi", "26292851@N04_4253489686_265c3c8051.mp4"),
        ("v_ before the id", "uqiMw7tQ1Cc", "v_uqiMw7tQ1Cc.mkv"),
        ("id without v_", "v_uqiMw7tQ1Cc", "uqiMw7tQ1Cc.mp4"),
        ("Y before the id", "GOD8Bt5LfDE_100.000_110.000", "YGOD8Bt5LfDE_100.000_110.000.wav"),
        ("id, times spelled otherwise", "G9zN5TTuGO4_000179_000189", "G9zN5TTuGO4_179_189.mp4"),
        ("id, times spelled otherwise", "GOD8Bt5LfDE_100.000_110.000", "GOD8Bt5LfDE_100_110.flac"),
        ("Y before the id, times spelled otherwise", "GOD8Bt5LfDE_100.000_110.000", "YGOD8Bt5LfDE_100_110.flac"),
        ("id, times in milliseconds", "GOD8Bt5LfDE_100.000_110.000", "GOD8Bt5LfDE_100000_110000.wav"),
        ("id, start without end", "---g-f_I2yQ_000001", "---g-f_I2yQ_1.mp4"),
        ("id, start without end", "---g-f_I2yQ_000001", "---g-f_I2yQ_000001_000011.mp4"),
        ("id without times", "G9zN5TTuGO4_000179_000189", "G9zN5TTuGO4.mp4"),
        ("Y before the id, without times", "GOD8Bt5LfDE_100.000_110.000", "YGOD8Bt5LfDE.wav"),
        ("id in other upper and lower case", "Video1", "video1.mp4"),
        ("id, other marks written as _", "Santa Motor (1).wav", "Santa_Motor__1.wav"),
    ],
)
def test_every_spelling_is_found_by_its_rule(rule, name, file):
    found = match([name], [File("folder", file), File("folder", "readme")])
    assert (found.rule, found.files) == (rule, {name: File("folder", file)})


def test_a_segment_is_never_answered_by_its_whole_video():
    ids = ["xHr8X2Wpmno_47_60", "xHr8X2Wpmno_67_89", "oDsUh1es_lo_57_60"]
    found = match(ids, [File("", "xHr8X2Wpmno.mp4"), File("", "oDsUh1es_lo.mp4")])
    assert found.files == {"oDsUh1es_lo_57_60": File("", "oDsUh1es_lo.mp4")}


def test_the_rule_that_finds_most_is_taken_and_the_others_are_told():
    files = [File("", "v_aaaaaaaaaaa.mp4"), File("", "bbbbbbbbbbb.mp4"), File("", "ccccccccccc.mp4")]
    found = match(["v_aaaaaaaaaaa", "v_bbbbbbbbbbb", "v_ccccccccccc"], files)
    assert found.rule == "id without v_"
    assert dict(found.rates)["id"] == 1
    assert len(found.files) == 2


def test_of_two_files_of_one_id_that_in_the_fuller_folder_counts():
    files = [File("few", "a.mp4"), File("many", "a.mkv"), File("many", "b.mp4")]
    found = match(["a", "b"], files)
    assert found.files["a"] == File("many", "a.mkv")
    assert found.doubles == 1


def test_nothing_found_is_no_rule():
    found = match(["a"], [])
    assert (found.rule, found.files, found.rates) == (None, {}, {})


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(YOUTUBE, st.integers(0, 999), st.integers(1, 30)), min_size=1, max_size=8, unique_by=lambda t: t[0]
    )
)
def test_times_spelled_in_any_way_find_the_same_clips(clips):
    ids = [f"{name}_{start:06d}_{start + length:06d}" for name, start, length in clips]
    for spelling in ("{0}_{1}_{2}", "{0}_{1:.3f}_{2:.3f}", "{0}_{1:06d}_{2:06d}"):
        files = [File("", spelling.format(name, start, start + length) + ".mp4") for name, start, length in clips]
        assert match(ids, files).files == dict(zip(ids, files, strict=True))


@settings(deadline=None)
@given(st.lists(st.text(max_size=12), max_size=8, unique=True), st.lists(st.text(max_size=12), max_size=8))
def test_no_id_has_another_id_s_file(ids, names):
    found = match(ids, [File("", name) for name in names])
    assert set(found.files) <= set(ids)
    assert len(set(found.files.values())) == len(found.files)
    assert all(0 < number <= len(ids) for number in found.rates.values())
    assert set(found.rates) <= {rule.name for rule in RULES}
