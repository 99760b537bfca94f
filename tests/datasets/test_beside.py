"""Splits beside the evaluated one: the official files, one dataset of all of them, and what leaks between them."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gramcli.cli.main import app
from gramcli.datasets import DATASETS, open_dataset
from gramcli.datasets.benchmark import Benchmark
from gramcli.datasets.survey import survey
from gramcli.errors import UserError
from gramcli.report.datasets import survey_answer
from tests.media_factory import write_video

MSRVTT = DATASETS.load("msrvtt")


def _root(root: Path, files: dict[str, object]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return root


def _msrvtt(clips: dict[str, str], urls: dict[str, str] | None = None) -> dict[str, object]:
    """`MSRVTT_data.json` of clips with their official splits, two captions each."""
    known = urls or {}
    videos = [
        {"video_id": one, "category": 1, "url": known.get(one, f"https://y/{one}"), "split": split}
        for one, split in clips.items()
    ]
    sentences = [{"caption": f"{one} {k}", "video_id": one, "sen_id": k} for one in clips for k in range(2)]
    return {"info": {}, "videos": videos, "sentences": sentences}


CLIPS = {"video0": "train", "video1": "validate", "video7010": "test", "video7020": "test", "video7030": "test"}
JSFUSION = "key,vid_key,video_id,sentence\nret0,msr7020,video7020,a man\nret1,msr7030,video7030,a dog\n"
MEDIA = {f"videos/all/{one}.mp4": "x" for one in CLIPS}


def _ids(dataset, split: str) -> list[str]:
    return [item.id for item in dataset.items if item.split == split]


@pytest.mark.parametrize(
    ("protocol", "extra", "train", "val"),
    [
        ("msrvtt-1k", {"MSRVTT_train.9k.csv": "video_id\nvideo0\nvideo1\nvideo7010\n"}, [0, 1, 7010], []),
        ("msrvtt-1k", {"train_list_jsfusion.txt": "video0\nvideo7010\n"}, [0, 7010], []),
        ("msrvtt-1k", {}, [0, 1, 7010], []),
        ("msrvtt-1k-7k", {"MSRVTT_train.7k.csv": "video_id\nvideo1\n"}, [1], []),
        ("msrvtt-1k-7k", {}, [0, 1], []),
        ("msrvtt-full", {}, [0], [1]),
    ],
)
def test_each_protocol_of_msrvtt_has_its_own_train_split(tmp_path, protocol, extra, train, val):
    """CLIP4Clip's layout: captions of all clips in one file, ids of the train clips in another, or nowhere."""
    root = _root(tmp_path, {"MSRVTT_data.json": _msrvtt(CLIPS), "MSRVTT_JSFUSION_test.csv": JSFUSION, **extra, **MEDIA})
    found = open_dataset("msrvtt", root, protocol=protocol, split="all")
    tested = ["video7010", "video7020", "video7030"] if protocol == "msrvtt-full" else ["video7020", "video7030"]
    assert _ids(found, "test") == tested
    assert _ids(found, "train") == [f"video{k}" for k in train]
    assert _ids(found, "val") == [f"video{k}" for k in val]
    assert len(found.items) == len(tested) + len(train) + len(val)
    assert found.size == len(tested)
    assert found.protocol == {"msrvtt-1k-7k": "msrvtt-1k@1"}.get(protocol, f"{protocol}@1")
    captions = {item.split: len(item.captions) for item in found.items}
    assert captions["train"] == 2  # every caption trains, where the first is tested
    assert captions["test"] == (2 if protocol == "msrvtt-full" else 1)
    for split in ("train", "val")[: 1 + bool(val)]:
        alone = open_dataset("msrvtt", root, protocol=protocol, split=split)
        assert alone.items == tuple(item for item in found.items if item.split == split)
        assert alone.size == len(tested)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("descs_ret_train.json", [{"video_id": "video0", "desc": text} for text in ("a", "b")]),
        ("msrvtt_ret_train9k.json", [{"video": "video0.mp4", "caption": ["a", "b"]}]),
        ("train9k.jsonl", '{"clip_id": "video0", "text": "a"}\n{"clip_id": "video0", "text": "b"}\n'),
    ],
)
def test_all_annotations_of_the_nine_thousand_say_the_same(tmp_path, name, content):
    root = _root(tmp_path, {"MSRVTT_JSFUSION_test.csv": JSFUSION, name: content, **MEDIA})
    (item,) = open_dataset("msrvtt", root, split="train").items
    assert (item.id, item.captions, item.split) == ("video0", ("a", "b"), "train")
    assert item.media["video"] == root / "videos/all/video0.mp4"


def test_the_real_test_clips_leave_nine_thousand_of_ten(reference_data, tmp_path):
    """1k-A of the real annotation, and a list of all 10,000 clips: 9,000 are left to train on, as the lists say."""
    real = json.loads((reference_data / "data/annotations/msrvtt/descs_cap_test.json").read_text())
    official = {f"video{k}": "train" if k < 6513 else "validate" for k in range(7010)}
    official |= dict.fromkeys((row["video_id"] for row in real), "test")
    assert len(official) == 10_000
    tested = (reference_data / "data/annotations/msrvtt/descs_ret_test.json").read_text()
    media = {f"v/{one}.mp4": "x" for one in list(official)[::100]}
    root = _root(tmp_path, {"descs_ret_test.json": tested, "MSRVTT_data.json": _msrvtt(official), **media})
    everything = open_dataset("msrvtt", root, split="all")
    assert {split: len(_ids(everything, split)) for split in ("test", "train")} == {"test": 1000, "train": 9000}
    assert not any("by definition" in note for note in everything.notes)
    assert len(open_dataset("msrvtt", root, split="train", protocol="msrvtt-1k-7k").items) == 7010
    assert [item.id for item in everything.items[:1000]] == [row["video_id"] for row in json.loads(tested)]


def test_the_other_half_of_the_real_validation_set_of_vatex(reference_data, tmp_path):
    rows = json.loads((reference_data / "data/annotations/vatex/descs_ret_test.json").read_text())
    tested = [row["video_id"] for row in rows]
    others = [f"{k:011d}_000001_000011" for k in range(1500)]
    validation = [{"videoID": one, "enCap": ["x"] * 10, "chCap": ["y"]} for one in [*tested, *others]]
    training = [{"videoID": f"{one[:11]}_000100_000110", "enCap": ["z"]} for one in tested[:3]]
    files = {
        "descs_ret_test.json": rows,
        "vatex_validation_v1.0.json": validation,
        "vatex_training_v1.0.json": training,
        **{f"v/{one}.mp4": "x" for one in (tested[0], others[0], training[0]["videoID"])},
    }
    root = _root(tmp_path, files)
    found = open_dataset("vatex", root, split="all")
    assert _ids(found, "test") == tested
    assert _ids(found, "val") == others
    same = [one for one in found.notes if "cut from a video" in one]
    assert same == [
        f"3 items of test are cut from a video of which train has a part too, for instance '{tested[0]}' and "
        f"'{training[0]['videoID']}'."
    ]


CASES = {
    "didemo": (
        {
            f"{split}_data.json": [{"video": f"12@N03_{k}_ab.mov", "description": d, "annotation_id": 1} for d in "xy"]
            for k, split in enumerate(("train", "val", "test"))
        },
        [f"v/12@N03_{k}_ab.mp4" for k in range(3)],
        {"train": ("12@N03_0_ab", ("x y",)), "val": ("12@N03_1_ab", ("x y",)), "test": ("12@N03_2_ab", ("x y",))},
    ),
    "activitynet": (
        {
            f"{name}.json": {f"v_uqiMw7tQ1C{k}": {"duration": 3, "timestamps": [], "sentences": ["One.", "Two."]}}
            for k, name in enumerate(("train", "val_1", "val_2"))
        },
        ["uqiMw7tQ1C0.mkv", "v_uqiMw7tQ1C1.mp4"],
        {"train": ("v_uqiMw7tQ1C0", ("One. Two.",)), "test": ("v_uqiMw7tQ1C1", ("One. Two.",))},
    ),
    "vatex": (
        {
            "vatex_training_v1.0.json": [{"videoID": "G9zN5TTuGO0_000179_000189", "enCap": ["a", "b"]}],
            "vatex_ret_test.json": [{"video": "G9zN5TTuGO1_000179_000189.mp4", "caption": ["c", "d"]}],
            "vatex_validation_v1.0.json": [
                {"videoID": "G9zN5TTuGO1_000179_000189", "enCap": ["c", "d"]},
                {"videoID": "G9zN5TTuGO2_000179_000189", "enCap": ["e"]},
            ],
        },
        [f"G9zN5TTuGO{k}.mp4" for k in range(3)],
        {
            "train": ("G9zN5TTuGO0_000179_000189", ("a", "b")),
            "val": ("G9zN5TTuGO2_000179_000189", ("e",)),
            "test": ("G9zN5TTuGO1_000179_000189", ("c",)),
        },
    ),
    "audiocaps": (
        {
            f"{split}.csv": f"audiocap_id,youtube_id,start_time,caption\n1,GOD8Bt5LfD{k},100,a\n2,GOD8Bt5LfD{k},100,b\n"
            for k, split in enumerate(("train", "val", "test"))
        },
        [f"wav/YGOD8Bt5LfD{k}.wav" for k in range(3)],
        {
            "train": ("GOD8Bt5LfD0_100.000_110.000", ("a", "b")),
            "val": ("GOD8Bt5LfD1_100.000_110.000", ("a", "b")),
            "test": ("GOD8Bt5LfD2_100.000_110.000", ("a",)),
        },
    ),
    "clotho": (
        {
            f"clotho_captions_{split}.csv": f"file_name,caption_1,caption_2\n{split} (1).wav,a,b\n"
            for split in ("development", "validation", "evaluation")
        },
        [f"{split}/{split} (1).wav" for split in ("development", "validation", "evaluation")],
        {
            "train": ("development (1)", ("a", "b")),
            "val": ("validation (1)", ("a", "b")),
            "test": ("evaluation (1)", ("a", "b")),
        },
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
        ["xHr8X2Wpmno_47_60.mp4", "oDsUh1es_lo_47_60.mp4"],
        {"train": ("oDsUh1es_lo_47_60", ("mix",)), "test": ("xHr8X2Wpmno_47_60", ("mix",))},
    ),
    "msvd": (
        {
            "raw-captions.json": {f"mv89psg6zh{k}_33_46": [["a", "bird"], ["it", "sings"]] for k in range(3)},
            **{f"{split}_list.txt": f"mv89psg6zh{k}_33_46\n" for k, split in enumerate(("train", "val", "test"))},
        },
        [f"YouTubeClips/mv89psg6zh{k}_33_46.avi" for k in range(3)],
        {split: (f"mv89psg6zh{k}_33_46", ("a bird", "it sings")) for k, split in enumerate(("train", "val", "test"))},
    ),
    "vggsound": (
        {
            "vggsound.csv": '---g-f_I2yQ,1,"people marching",test\n--0PQM4-hqg,30,waterfall,train\n'
            "--0PQM4-hqh,30,waterfall,test\n",
            "descs_ret_test.json": [{"video_id": "---g-f_I2yQ_000001", "desc": "people marching"}],
        },
        ["v/---g-f_I2yQ_000001.mp4", "v/--0PQM4-hqg_000030.mp4"],
        {"train": ("--0PQM4-hqg_000030", ()), "test": ("---g-f_I2yQ_000001", ())},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_dataset_in_its_official_files(tmp_path, name):
    files, media, wanted = CASES[name]
    root = _root(tmp_path, {**files, **dict.fromkeys(media, "x")})
    everything = open_dataset(name, root, split="all")
    assert {item.split: (item.id, item.captions) for item in everything.items} == wanted
    assert len(everything.items) == len(wanted)
    assert all(item.media and not item.unreadable for item in everything.items)
    for split, (one, captions) in wanted.items():
        (item,) = open_dataset(name, root, split=split).items
        assert (item.id, item.captions, item.split) == (one, captions, split)
    tested = open_dataset(name, root)
    assert [item.id for item in tested.items] == [wanted["test"][0]]
    assert tested.beside is None
    shown = survey_answer(survey(DATASETS.load(name), root, beside=("train", "val"))).document["splits"]
    assert {one["split"]: (one["n"], one["with_media"]) for one in shown} == dict.fromkeys(wanted, (1, 1))


@pytest.mark.parametrize("row", list(DATASETS), ids=lambda row: row.name)
def test_every_test_split_has_its_train_split(row):
    found = DATASETS.load(row.name)
    assert isinstance(found, Benchmark)
    for protocol in found.protocols:
        names = [beside.name for beside in protocol.beside]
        assert len(set(names)) == len(names)
        assert ("train" in names) == (protocol.evaluated == "test" and protocol.name != "vggsound-all")
        assert protocol.evaluated not in names
        if protocol.same_as:
            other = found.protocol(protocol.same_as)
            assert (protocol.annotations, protocol.n, protocol.captions) == (other.annotations, other.n, other.captions)
            assert protocol.id == other.id


def test_a_file_of_tested_clips_alone_is_no_train_split(tmp_path):
    clips = dict.fromkeys(("video7020", "video7030"), "test")
    root = _root(tmp_path, {"MSRVTT_data.json": _msrvtt(clips), "MSRVTT_JSFUSION_test.csv": JSFUSION, **MEDIA})
    with pytest.raises(UserError, match="Split train of msrvtt-1k has no annotation below"):
        open_dataset("msrvtt", root, split="all")


def test_a_missing_train_annotation_is_named_and_the_test_goes_on(tmp_path):
    root = _root(tmp_path, {"MSRVTT_JSFUSION_test.csv": JSFUSION, **MEDIA})
    for split in (None, "test"):
        assert [item.id for item in open_dataset("msrvtt", root, split=split).items] == ["video7020", "video7030"]
    for split in ("train", "all"):
        wanted = (
            r"Split train of msrvtt-1k has no annotation below .*: put one of descs_ret_train\.json, .*"
            r"MSRVTT_data\.json \(with MSRVTT_train\.9k\.csv or train_list_jsfusion\.txt\).* there\. See: gram datasets"
        )
        with pytest.raises(UserError, match=wanted):
            open_dataset("msrvtt", root, split=split)
    with pytest.raises(UserError, match=r"msrvtt has no split 'trian'\. Did you mean 'train'\? It has: test, train\."):
        open_dataset("msrvtt", root, split="trian")
    shown = CliRunner().invoke(app, ["datasets", "msrvtt", "--root", str(root), "--format", "json"])
    splits = json.loads(shown.stdout)["splits"]
    assert splits[1]["expected"][1:3] == ["msrvtt_ret_train9k.json", "train9k.jsonl"]
    assert [(one["split"], one["annotation"], one["n"]) for one in splits] == [
        ("test", "MSRVTT_JSFUSION_test.csv", 2),
        ("train", None, 0),
    ]
    table = CliRunner().invoke(app, ["datasets", "msrvtt", "--root", str(root)]).stdout
    assert "train missing: descs_ret_train.json or alike - - 9,000" in " ".join(table.split())


def test_a_train_split_without_any_media_is_not_opened(tmp_path):
    root = _root(tmp_path, {"MSRVTT_JSFUSION_test.csv": JSFUSION, "MSRVTT_data.json": _msrvtt(CLIPS)})
    _root(root, {"v/video7020.mp4": "x"})
    message = r"Split train of msrvtt-1k: none of its 3 items \(MSRVTT_data\.json\) has a media file below"
    with pytest.raises(UserError, match=message):
        open_dataset("msrvtt", root, split="all")
    assert len(open_dataset("msrvtt", root).items) == 2
    only = _root(tmp_path / "only", {"MSRVTT_JSFUSION_test.csv": JSFUSION, "MSRVTT_data.json": _msrvtt(CLIPS)})
    _root(only, {"v/video0.mp4": "x"})
    assert len(open_dataset("msrvtt", only, split="train").items) == 3  # the test clips need not be there to train


def test_a_validation_split_that_is_not_there_is_left_out_and_said(tmp_path):
    files, media, _ = CASES["didemo"]
    root = _root(tmp_path, {**files, **dict.fromkeys(media, "x")})
    (root / "val_data.json").unlink()
    found = open_dataset("didemo", root, split="all")
    assert [item.split for item in found.items] == ["test", "train"]
    assert any(note.startswith("Split val of didemo-paragraph has no annotation below") for note in found.notes)
    with pytest.raises(UserError, match="Split val of didemo-paragraph has no annotation"):
        open_dataset("didemo", root, split="val")


def test_a_broken_train_annotation_stops_only_who_wants_it(tmp_path):
    root = _root(tmp_path, {"MSRVTT_JSFUSION_test.csv": JSFUSION, "descs_ret_train.json": "[{", **MEDIA})
    assert len(open_dataset("msrvtt", root).items) == 2
    with pytest.raises(UserError, match=r"Split train of msrvtt-1k: .*descs_ret_train\.json is not valid JSON"):
        open_dataset("msrvtt", root, split="all")
    found = survey(MSRVTT, root, beside=("train",))
    assert "is not valid JSON" in found.parts[0].trouble.message
    assert "is not valid JSON" in str(survey_answer(found).tables[1].rows)


@pytest.mark.parametrize("split", ["all", "train"])
def test_an_item_of_two_splits_is_refused(tmp_path, split):
    both = [{"video_id": one, "desc": "x"} for one in ("video0", "video7030", "video7020")]
    root = _root(tmp_path, {"MSRVTT_JSFUSION_test.csv": JSFUSION, "descs_ret_train.json": both, **MEDIA})
    with pytest.raises(UserError, match=r"2 items of test are in train too, for instance 'video7020'; what learns"):
        open_dataset("msrvtt", root, split=split)
    assert len(open_dataset("msrvtt", root).items) == 2
    found = survey(MSRVTT, root, beside=("train",))
    assert any(one.startswith("2 items of test are in train too") for one in found.advice)
    assert not found.complete


def test_clips_of_one_video_on_both_sides_are_counted(tmp_path):
    urls = dict.fromkeys(("video0", "video7030"), "https://y/same")
    root = _root(tmp_path, {"MSRVTT_data.json": _msrvtt(CLIPS, urls), "MSRVTT_JSFUSION_test.csv": JSFUSION, **MEDIA})
    said = "1 item of test is cut from a video of which train has a part too, for instance 'video7030' and 'video0'."
    assert said in open_dataset("msrvtt", root, split="all").notes
    assert said in survey_answer(survey(MSRVTT, root, beside=("train",))).notes
    apart = _root(tmp_path / "apart", {"MSRVTT_data.json": _msrvtt(CLIPS), "MSRVTT_JSFUSION_test.csv": JSFUSION})
    _root(apart, MEDIA)
    assert survey(MSRVTT, apart, beside=("train",)).shared == ()


def test_a_file_that_is_trained_on_and_tested_is_refused(tmp_path):
    """`id without times`: one video file answers two clips of it, each the only one of its split."""
    files = {
        "vatex_training_v1.0.json": [{"videoID": "G9zN5TTuGO4_000001_000011", "enCap": ["a"]}],
        "vatex_ret_test.json": [{"video": "G9zN5TTuGO4_000179_000189.mp4", "caption": ["c"]}],
        "G9zN5TTuGO4.mp4": "x",
    }
    root = _root(tmp_path, files)
    with pytest.raises(
        UserError, match=r"1 item of test has the media file of an item of train, .*'G9zN5TTuGO4_000179"
    ):
        open_dataset("vatex", root, split="all")
    notes = survey_answer(survey(DATASETS.load("vatex"), root, beside=("train",))).notes
    assert sum("media file" in note for note in notes) == 1
    assert not any("cut from" in note for note in notes)  # not said twice of one item


def test_a_limit_counts_in_each_split(tmp_path):
    root = _root(tmp_path, {"MSRVTT_data.json": _msrvtt(CLIPS), "MSRVTT_JSFUSION_test.csv": JSFUSION, **MEDIA})
    found = open_dataset("msrvtt", root, split="all", limit=1)
    assert [(item.split, item.id) for item in found.items] == [("test", "video7020"), ("train", "video0")]
    assert len(open_dataset("msrvtt", root, limit=1).items) == 1


def test_train_clips_without_sound_are_left_out_of_a_protocol_of_sound(tmp_path):
    clips = {"video0": "train", "video1": "train", "video7020": "test", "video7030": "test"}
    root = _root(tmp_path, {"MSRVTT_data.json": _msrvtt(clips), "MSRVTT_JSFUSION_test.csv": JSFUSION})
    (root / "v").mkdir()
    for one, tone in (("video0", None), ("video1", 440.0), ("video7020", None), ("video7030", 440.0)):
        write_video(root / f"v/{one}.mp4", 2, tone_hz=tone)
    found = open_dataset("msrvtt", root, protocol="msrvtt-1k-av", split="all")
    assert [item.id for item in found.items] == ["video7030", "video1"]
    assert [entry.id for entry in found.left_out] == ["video7020"]  # of the test split, as its figures say
    assert (found.size, "1 items of train were left out: no sound." in found.notes) == (1, True)
    assert open_dataset("msrvtt", root, protocol="msrvtt-1k-av").left_out == found.left_out


def test_all_splits_of_a_folder_or_manifest_are_all_its_items(tmp_path):
    path = tmp_path / "m.csv"
    path.write_text("id,video,split\na,a.mp4,train\nb,b.mp4,test\nc,c.mp4,\n")
    assert open_dataset(str(path), split="all") == open_dataset(str(path))
    path.write_text("id,video,split\na,a.mp4,all\nb,b.mp4,test\n")
    assert [item.id for item in open_dataset(str(path), split="all").items] == ["a"]
