"""Annotation formats in circulation, each in its own words, and whatever else JSON may hold."""

import json
import pickle
import sys
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gramcli.datasets.entries import Entry, entries_of
from gramcli.datasets.records import read_records
from gramcli.errors import UserError

CAPTIONS = ["a man walks", "a dog"]
FORMATS = {
    "vast.json": [{"video_id": "a", "desc": CAPTIONS, "subtitle": " hello "}],
    "vindlu.json": [{"video": "a", "caption": CAPTIONS}],
    "wrapped.json": {"annotations": [{"video_id": "a", "caption": CAPTIONS}]},
    "coco.json": {
        "images": [{"id": "a"}],
        "annotations": [{"image_id": "a", "caption": one, "id": k} for k, one in enumerate(CAPTIONS)],
    },
    "MSRVTT_data.json": {
        "info": {},
        "videos": [{"video_id": "a", "category": 9, "split": "test", "start time": 1.0, "end time": 2.0, "id": 7}],
        "sentences": [{"video_id": "a", "caption": one, "sen_id": k} for k, one in enumerate(CAPTIONS)],
    },
    "val_1.json": {"a": {"duration": 9.0, "timestamps": [[0, 1], [1, 9]], "sentences": CAPTIONS}},
    "vatex.json": [{"videoID": "a", "enCap": CAPTIONS, "chCap": ["x"]}],
    "didemo.json": [
        {"annotation_id": k, "video": "a", "description": one, "times": []} for k, one in enumerate(CAPTIONS)
    ],
    "lists.json": {"a": CAPTIONS},
}


def _entries(path: Path) -> tuple[Entry, ...]:
    return entries_of(read_records(path).rows, path.name)


@pytest.mark.parametrize("name", FORMATS)
def test_every_json_says_the_same(tmp_path, name):
    (tmp_path / name).write_text(json.dumps(FORMATS[name]))
    (entry,) = _entries(tmp_path / name)
    assert (entry.id, entry.captions) == ("a", tuple(CAPTIONS))
    assert entry.split == ("test" if name == "MSRVTT_data.json" else None)
    assert entry.subtitle == ("hello" if name == "vast.json" else None)


TABLES = {
    "jsfusion.csv": "key,vid_key,video_id,sentence\nret0,msr1,a,a man walks\nret1,msr2,a,a dog\n",
    "clotho.csv": "file_name,caption_1,caption_2\na,a man walks,a dog\n",
    "audiocaps.csv": "audiocap_id,youtube_id,start_time,caption\n1,a,30,a man walks\n2,a,30,a dog\n",
    "hf.tsv": 'video_id\tcaption\tid\na\t["a man walks", "a dog"]\t3\n',
    "lines.jsonl": '{"clip_id": "a", "text": "a man walks"}\n\n{"clip_id": "a", "text": "a dog"}\n',
}


@pytest.mark.parametrize("name", TABLES)
def test_every_table_says_the_same(tmp_path, name):
    (tmp_path / name).write_text(TABLES[name])
    (entry,) = _entries(tmp_path / name)
    assert (entry.id, entry.captions) == ("a", tuple(CAPTIONS))
    assert entry.start == (30.0 if name == "audiocaps.csv" else None)


def test_a_table_without_header_takes_the_names_it_is_given(tmp_path):
    names = ("youtube_id", "start_s", "label", "split")
    (tmp_path / "vggsound.csv").write_text('---g-f_I2yQ,1,"people marching, crowd",test\n')
    (tmp_path / "headed.csv").write_text(
        'youtube_id,start_s,label,split\n---g-f_I2yQ,1,"people marching, crowd",test\n'
    )
    for name in ("vggsound.csv", "headed.csv"):
        (entry,) = entries_of(read_records(tmp_path / name, names).rows, name)
        assert entry == Entry("---g-f_I2yQ", (), None, "people marching, crowd", "test", 1.0)


def test_segments_of_a_video_are_items(tmp_path):
    steps = [{"segment": [47, 60], "id": 0, "sentence": "pick"}, {"segment": [67, 89], "id": 1, "sentence": "mix"}]
    value = {"database": {"vid": {"subset": "validation", "recipe_type": "1", "annotations": steps}}}
    (tmp_path / "youcookii.json").write_text(json.dumps(value))
    entries = _entries(tmp_path / "youcookii.json")
    assert [(e.id, e.captions, e.split) for e in entries] == [
        ("vid_47_60", ("pick",), "validation"),
        ("vid_67_89", ("mix",), "validation"),
    ]


def test_a_pickle_of_words_is_read_and_one_with_code_is_not_run(tmp_path):
    (tmp_path / "raw-captions.pkl").write_bytes(pickle.dumps({"a": [["a", "man", "walks"], ["a", "dog"]]}))
    assert _entries(tmp_path / "raw-captions.pkl")[0].captions == tuple(CAPTIONS)

    class Code:
        def __reduce__(self):
            return Path.touch, (tmp_path / "ran",)

    (tmp_path / "bad.pkl").write_bytes(pickle.dumps(Code()))
    with pytest.raises(UserError, match=r"bad\.pkl cannot be read \(it names the code .*which is not run\)"):
        read_records(tmp_path / "bad.pkl")
    assert not (tmp_path / "ran").exists()
    for value in ([1], {"a": 3}):
        (tmp_path / "odd.pkl").write_bytes(pickle.dumps(value))
        with pytest.raises(UserError, match="must hold captions by id"):
            read_records(tmp_path / "odd.pkl")


def test_parquet_is_read_or_it_is_said_what_is_missing(tmp_path, monkeypatch):
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame({"video_id": ["a", None][:1], "caption": [CAPTIONS]})
    frame.to_parquet(tmp_path / "a.parquet")
    assert _entries(tmp_path / "a.parquet")[0].captions == tuple(CAPTIONS)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(UserError, match=r"a\.parquet needs the package pyarrow to be read: pip install pyarrow"):
        read_records(tmp_path / "a.parquet")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not valid JSON at line 1"),
        ("[]", "holds no rows"),
        ('[{"caption": "a"}]', r"has no id \(columns: caption\)"),
        ('[{"video_id": " "}]', "has an empty id"),
        ('[{"video_id": ["a"]}]', "video_id must be one text"),
        ('{"videos": 1, "sentences": []}', "'videos' must be a list; found int"),
        ('{"videos": [], "sentences": [{"caption": "a"}]}', "sentence 1 has no 'video_id'"),
        ('{"images": [], "annotations": [3]}', "annotation 1 must be an object; found int"),
        ('{"database": {"v": {"annotations": [{"segment": 3}]}}}', "'segment' must be two times"),
        ('{"a": {"sentences": 1}}', "'sentences' must be a list"),
        ("3", "must be a list of objects"),
        ('[{"video_id": "a", "label": "x"}, {"video_id": "a", "label": "y"}]', "has the labels 'x' and 'y'"),
        ('[{"video_id": "a", "start": "soon"}]', "'soon' is no time in seconds"),
    ],
)
def test_what_cannot_be_understood_is_said(tmp_path, text, message):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(UserError, match=message):
        _entries(tmp_path / "a.json")


KEYS = st.sampled_from(
    ["videos", "sentences", "images", "annotations", "database", "video_id", "image_id", "caption", "segment", "x"]
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ANYTHING)
def test_any_json_is_read_or_refused_in_words(tmp_path, value):
    (tmp_path / "any.json").write_text(json.dumps(value))
    try:
        entries = _entries(tmp_path / "any.json")
    except UserError as error:
        assert "any.json" in error.message
    else:
        assert len({entry.id for entry in entries}) == len(entries) > 0


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.text("abc/._-", min_size=1, max_size=8), st.lists(st.text("xyz", min_size=1), max_size=3), min_size=1
    )
)
def test_ids_and_captions_come_back_from_json_and_csv(tmp_path, wanted):
    rows = [{"video_id": name, "desc": captions} for name, captions in wanted.items()]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    frame = pd.DataFrame([(name, one) for name, captions in wanted.items() for one in captions or [""]])
    frame.to_csv(tmp_path / "a.csv", index=False, header=["video_id", "sentence"])
    for name in ("a.json", "a.csv"):
        assert {entry.id: list(entry.captions) for entry in _entries(tmp_path / name)} == wanted
