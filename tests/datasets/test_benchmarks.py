"""The benchmarks on their real annotations, in the layouts in circulation, and on hostile roots."""

import json
import os
import shutil
from pathlib import Path

import pytest

from gramcli.datasets import DATASETS, open_dataset
from gramcli.datasets.benchmark import Benchmark
from gramcli.datasets.survey import survey
from gramcli.datasets.tree import scan
from gramcli.errors import UserError
from gramcli.report.datasets import survey_answer
from tests.media_factory import write_video, write_wav

MSRVTT, CLOTHO = DATASETS.load("msrvtt"), DATASETS.load("clotho")


@pytest.mark.parametrize("row", list(DATASETS), ids=lambda row: row.name)
def test_a_row_and_its_description_agree(row):
    found = DATASETS.load(row.name)
    assert isinstance(found, Benchmark)
    assert found.name == row.name
    assert row.protocols == tuple(protocol.name for protocol in found.protocols)
    assert len(row.sizes) == len(row.protocols)
    assert all([row.title, row.splits, row.source, row.licence])
    assert all(protocol.about.endswith(".") for protocol in found.protocols)
    assert found.protocol(found.protocols[0].id) is found.protocols[0]


@pytest.mark.parametrize(
    ("name", "protocol", "n", "captions"),
    [
        ("msrvtt", "msrvtt-1k", 1000, 1),
        ("msrvtt", "msrvtt-1k-20captions", 1000, 20),
        ("msrvtt", "msrvtt-full", 2990, 20),
        ("didemo", None, 1003, 1),
        ("activitynet", None, 4917, 1),
        ("vatex", "vatex-all", 1500, 10),
        ("audiocaps", "audiocaps-all", 729, 5),
        ("youcook2", None, 3216, 1),
    ],
)
def test_real_annotations_give_the_published_sizes(reference_data, name, protocol, n, captions):
    found = survey(DATASETS.load(name), reference_data / "data/annotations", protocol).found
    assert len(found.entries) == n
    assert {len(entry.captions) for entry in found.entries} == {captions}


def _root(root: Path, files: dict[str, object]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return root


DESCRIBED = [{"video_id": "video1", "desc": "a man"}, {"video_id": "video2", "desc": "a dog"}]


def test_all_annotations_of_the_thousand_clips_say_the_same(tmp_path):
    data = {
        "videos": [{"video_id": f"video{k}", "split": "test"} for k in (1, 2)],
        "sentences": [{"video_id": row["video_id"], "caption": row["desc"]} for row in DESCRIBED],
    }
    spellings = {
        "descs_ret_test.json": DESCRIBED,
        "MSRVTT_JSFUSION_test.csv": "key,vid_key,video_id,sentence\n1,1,video1,a man\n2,2,video2,a dog\n",
        "msrvtt_test1k.json": [{"video": f"{row['video_id']}.mp4", "caption": row["desc"]} for row in DESCRIBED],
        "test1ka.jsonl": "\n".join(json.dumps({"clip_id": r["video_id"], "text": r["desc"]}) for r in DESCRIBED),
    }
    for number, (name, content) in enumerate(spellings.items()):
        root = _root(tmp_path / str(number), {name: content, "all/video1.mp4": "x"})
        items = open_dataset("msrvtt", root).items
        assert [(item.id, item.captions, item.split) for item in items] == [
            ("video1", ("a man",), "test"),
            ("video2", ("a dog",), "test"),
        ]
    root = _root(tmp_path / "pair", {"MSRVTT_data.json": data, "val_list_jsfusion.txt": "video2\n", "video2.mp4": "x"})
    assert [item.id for item in open_dataset("msrvtt", root, protocol="msrvtt-1k-20captions").items] == ["video2"]


CASES = {
    "didemo": (
        {
            "test_data.json": [
                {"video": "12@N03_1_ab.mov", "description": d, "annotation_id": k} for k, d in enumerate("xy")
            ]
        },
        "v/12@N03_1_ab.avi",
        ("12@N03_1_ab", ("x y",), None),
    ),
    "activitynet": (
        {"val_1.json": {"v_uqiMw7tQ1Cc": {"duration": 3, "timestamps": [], "sentences": ["One. ", " Two."]}}},
        "uqiMw7tQ1Cc.mkv",
        ("v_uqiMw7tQ1Cc", ("One. Two.",), None),
    ),
    "vatex": (
        {"descs_ret_test.json": [{"video_id": "G9zN5TTuGO4_000179_000189", "desc": ["a", "b"], "subtitle": ""}]},
        "G9zN5TTuGO4.mp4",
        ("G9zN5TTuGO4_000179_000189", ("a",), None),
    ),
    "audiocaps": (
        {"test.csv": "audiocap_id,youtube_id,start_time,caption\n1,GOD8Bt5LfDE,100,a\n2,GOD8Bt5LfDE,100,b\n"},
        "wav/YGOD8Bt5LfDE.wav",
        ("GOD8Bt5LfDE_100.000_110.000", ("a",), None),
    ),
    "clotho": (
        {"clotho_captions_evaluation.csv": "file_name,caption_1,caption_2\nSanta Motor (1).wav,a,b\n"},
        "evaluation/Santa_Motor_1.wav",
        ("Santa Motor (1)", ("a", "b"), None),
    ),
    "youcook2": (
        {
            "youcookii_annotations_trainval.json": {
                "database": {
                    name: {"subset": subset, "annotations": [{"segment": [47, 60], "id": 0, "sentence": "mix"}]}
                    for name, subset in (("xHr8X2Wpmno", "validation"), ("oDsUh1es_lo", "training"))
                }
            }
        },
        "xHr8X2Wpmno_000047_000060.mp4",
        ("xHr8X2Wpmno_47_60", ("mix",), None),
    ),
    "msvd": (
        {"msvd_test_multi.csv": "video_id,sentence\nmv89psg6zh4_33_46,a bird@a bird sings\n"},
        "YouTubeClips/mv89psg6zh4_33_46.avi",
        ("mv89psg6zh4_33_46", ("a bird", "a bird sings"), None),
    ),
    "vggsound": (
        {"descs_ret_test.json": [{"video_id": "---g-f_I2yQ_000001", "desc": "people marching"}]},
        "test/---g-f_I2yQ_1.mp4",
        ("---g-f_I2yQ_000001", (), "people marching"),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_dataset_in_a_layout_of_its_own(tmp_path, name):
    files, media, wanted = CASES[name]
    root = _root(tmp_path, {**files, media: "x"})
    dataset = open_dataset(name, root)
    (item,) = dataset.items
    assert (item.id, item.captions, item.label) == wanted
    assert item.media["audio"] == root / media
    assert not item.unreadable
    assert dataset.protocol == f"{DATASETS.row(name).protocols[0]}@1"


def test_vggsound_keeps_its_splits_and_labels(tmp_path):
    table = '---g-f_I2yQ,1,"people marching, crowd",test\n--0PQM4-hqg,30,waterfall burbling,train\n'
    root = _root(tmp_path, {"vggsound.csv": table, "v/---g-f_I2yQ_000001.mp4": "x"})
    both = open_dataset("vggsound", root, protocol="vggsound-all")
    assert [(item.split, item.label) for item in both.items] == [
        ("test", "people marching, crowd"),
        ("train", "waterfall burbling"),
    ]
    assert [item.split for item in open_dataset("vggsound", root, protocol="vggsound-test").items] == ["test"]


def test_only_clips_with_sound_are_in_the_protocol_of_sound(tmp_path):
    rows = [{"video_id": f"video{k}", "desc": "x"} for k in range(5)]
    root = _root(tmp_path, {"descs_ret_test.json": rows, "videos/video2.mp4": "broken"})
    write_video(root / "videos/video0.mp4", 2, tone_hz=None)
    write_video(root / "videos/video1.mp4", 2)
    write_video(root / "videos/video3.mp4", 2, tone_hz=None)
    (root / "audios").mkdir()
    write_wav(root / "audios/x.wav", 0.1).rename(root / "audios/video3.wav")
    dataset = open_dataset("msrvtt", root, protocol="msrvtt-1k-av@1")
    # Without sound: left out. Broken, or without a file: an item, which will fail in its own words.
    assert [item.id for item in dataset.items] == ["video1", "video2", "video3", "video4"]
    assert [(entry.id, entry.reason) for entry in dataset.left_out] == [
        ("video0", "no audio track: msrvtt-1k-av@1 leaves it out")
    ]
    assert dataset.items[2].media["audio"] == root / "audios/video3.wav"
    assert dataset.items[3].unreadable == dict.fromkeys(
        ("video", "audio"), f"no file named video4.* below {root.name}/"
    )


def test_the_rest_of_the_sounds_are_the_videos_own_and_only_items_asked_for_are_counted(tmp_path):
    rows = [{"video_id": f"video{k}", "desc": "x"} for k in range(5)]
    media = {f"videos/video{k}.mp4": "x" for k in range(3)} | {"audios/video0.wav": "x", "audios/video3.wav": "x"}
    root = _root(tmp_path, {"descs_ret_test.json": rows, **media})
    told = open_dataset("msrvtt", root).told
    assert [note for note in told if "rule" in note] == [
        "video files are named by the rule 'id': 3 of 5 found.",
        "audio files are named by the rule 'id': 2 of 5 found.",
    ]
    assert told[-3:] == (
        "Items without a sound file, whose video's own track is used: 2.",
        "2 items have no video file.",
        "1 item has neither a sound file nor a video.",
    )
    assert open_dataset("msrvtt", root, limit=2).told[-3:] == (
        "video files are named by the rule 'id': 2 of 2 found.",
        "audio files are named by the rule 'id': 1 of 2 found.",
        "Items without a sound file, whose video's own track is used: 1.",
    )
    shown = dict(survey_answer(survey(MSRVTT, root)).tables[0].rows)
    assert shown["sound"] == "the videos' own tracks for the 2 without a sound file"


def test_sounds_are_found_by_their_folder_whatever_their_suffix(tmp_path):
    for number, name in enumerate(
        ["audios/video1.mkv", "TestAudio/video1", "raw_wav/video1.mp4", "sound/test/video1.mp3"]
    ):
        root = _root(tmp_path / str(number), {"descs_ret_test.json": DESCRIBED, name: "x", "TestVideo/video1.mp4": "x"})
        media = open_dataset("msrvtt", root).items[0].media
        assert media == {"audio": root / name, "video": root / "TestVideo/video1.mp4"}
    root = _root(tmp_path / "audiocaps", {"vggsound/video1.mp4": "x"})
    assert [file.name for file in scan(root).media("video")] == ["video1.mp4"]  # named after a dataset, not for sounds


def test_hostile_roots(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        survey(MSRVTT, tmp_path / "gone")
    with pytest.raises(UserError, match=r"No annotation of msrvtt-1k: put one of descs_ret_test\.json, MSRVTT_JSF"):
        open_dataset("msrvtt", _root(tmp_path / "empty", {"readme": "x"}))
    with pytest.raises(UserError, match=r"gram datasets msrvtt --root"):
        open_dataset("msrvtt", _root(tmp_path / "textonly", {"descs_ret_test.json": DESCRIBED}))
    two = _root(tmp_path / "two", {"a/descs_ret_test.json": DESCRIBED, "b/descs_ret_test.json": DESCRIBED[:1]})
    with pytest.raises(UserError, match=r"holds two different annotations, b/descs_ret_test\.json and a/descs_ret"):
        survey(MSRVTT, two)
    shutil.copy(two / "a/descs_ret_test.json", two / "b/descs_ret_test.json")
    assert survey(MSRVTT, two).found.others == ("a/descs_ret_test.json",)
    with pytest.raises(UserError, match=r"descs_ret_test\.json is not valid JSON"):
        survey(MSRVTT, _root(tmp_path / "broken", {"descs_ret_test.json": "[{"}))
    with pytest.raises(UserError, match="has no id"):
        survey(MSRVTT, _root(tmp_path / "keyless", {"descs_ret_test.json": [{"desc": "a"}]}))
    other = _root(tmp_path / "other", {"descs_ret_test.json": [{"video_id": "v_uqiMw7tQ1Cc", "desc": "a"}]})
    assert survey(MSRVTT, other).found is None  # another dataset's file of the same name
    with pytest.raises(UserError, match=r"msrvtt has no protocol 'msrvtt-2k'\. Did you mean 'msrvtt-1k'\?"):
        survey(MSRVTT, two, "msrvtt-2k")
    with pytest.raises(UserError, match="this gramcli has msrvtt-1k@1"):
        survey(MSRVTT, two, "msrvtt-1k@2")


def test_ids_never_lead_out_of_the_root(tmp_path):
    (tmp_path / "secret.wav").write_text("x")
    rows = "file_name,caption_1\n../secret.wav,a\n/etc/passwd,b\na/b.wav,c\nok.wav,d\n"
    root = _root(tmp_path / "clotho", {"clotho_captions_evaluation.csv": rows, "ok.wav": "x"})
    items = open_dataset("clotho", root).items
    assert [item.id for item in items if item.media] == ["ok"]


def test_loops_and_unreadable_folders_are_survived(tmp_path):
    root = _root(tmp_path / "loop", {"descs_ret_test.json": DESCRIBED, "real/video1.mp4": "x"})
    (root / "again").symlink_to(root)
    (root / "self").symlink_to(root / "self")
    (root / "elsewhere").symlink_to(tmp_path)
    files = scan(root).files
    assert [f"{file.folder}/{file.name}" for file in files if file.name == "video1.mp4"] == ["real/video1.mp4"]
    locked = root / "locked"
    locked.mkdir(mode=0)
    if os.geteuid() != 0:
        assert "locked cannot be read" in scan(root).notes[0]
    locked.chmod(0o700)


def test_what_to_do_is_said(tmp_path):
    root = _root(tmp_path, {"descs_ret_test.json": DESCRIBED, "MSRVTT.zip": "x"})
    assert "Unpack MSRVTT.zip first." in survey(MSRVTT, root).advice
    _root(tmp_path, {"v/video1.mp4": "x", "v/clip_video2.webm": "x"})
    assert "The name clip_video2.webm resembles the id video2: rename it to video2.webm." in survey(MSRVTT, root).advice


def test_thousands_of_files_take_a_moment(tmp_path):
    (tmp_path / "v").mkdir()
    for number in range(2_000):
        (tmp_path / "v" / f"video{number}.mp4").touch()
    rows = [{"video_id": f"video{number}", "desc": "x"} for number in range(2_000)]
    (tmp_path / "descs_ret_test.json").write_text(json.dumps(rows))
    found = survey(MSRVTT, tmp_path)
    assert len(found.matches["video"].files) == 2_000


def test_the_file_of_another_item_is_not_to_be_renamed(tmp_path):
    rows = "file_name,caption_1\nRain.wav,a\nHeavy Rain.wav,b\n"
    root = _root(tmp_path, {"clotho_captions_evaluation.csv": rows, "evaluation/Heavy Rain.wav": "x"})
    advice = survey(CLOTHO, root).advice
    assert not any("resembles" in one for one in advice)
    assert "Copy them beside the others; else they end as failed, and every figure names them." in advice
