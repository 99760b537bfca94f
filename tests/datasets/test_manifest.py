"""Manifests: the four formats say the same, and every mistake is named with its row."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gramcli.datasets import Dataset, open_dataset
from gramcli.datasets.names import composed
from gramcli.errors import UserError

ROWS: list[dict[str, Any]] = [
    {"id": "a", "video": "v/a.mp4", "audio": "a.wav", "caption": ["one, two", 'say "hi"'], "split": "train"},
    {"id": "b", "video": "v/b.mp4", "audio": "", "caption": "[music] plays", "split": "test"},
]


def _write(path: Path, rows: list[dict[str, Any]]) -> Path:
    if path.suffix == ".json":
        path.write_text(json.dumps(rows), encoding="utf-8")
    elif path.suffix == ".jsonl":
        path.write_text("\n".join(map(json.dumps, rows)) + "\n\n", encoding="utf-8")
    else:
        names = list(dict.fromkeys(name for row in rows for name in row))
        buffer = io.StringIO(newline="")
        writer = csv.DictWriter(buffer, names, delimiter="\t" if path.suffix == ".tsv" else ",")
        writer.writeheader()
        cells = lambda row: {k: json.dumps(v) if isinstance(v, list) else v for k, v in row.items()}  # noqa: E731
        writer.writerows(cells(row) for row in rows)
        path.write_bytes(buffer.getvalue().encode())
    return path


def _open(path: Path, content: str | bytes, **options: Any) -> Dataset:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return open_dataset(str(path), **options)


@pytest.mark.parametrize("suffix", ["csv", "tsv", "json", "jsonl"])
def test_the_formats_say_the_same(suffix: str, tmp_path: Path) -> None:
    dataset = open_dataset(str(_write(tmp_path / f"list.{suffix}", ROWS)))
    assert dataset.id == f"{tmp_path.name}/list.{suffix}"
    assert dataset.protocol == "manifest"
    assert len(dataset.annotation_sha256 or "") == 64
    assert dataset.modalities == ("text", "video", "audio")
    first, second = dataset.items
    assert (first.id, first.captions, first.split) == ("a", ("one, two", 'say "hi"'), "train")
    assert first.media == {"video": tmp_path / "v/a.mp4", "audio": tmp_path / "a.wav"}
    assert second.captions == ("[music] plays",)
    assert second.media == {"video": tmp_path / "v/b.mp4", "audio": tmp_path / "v/b.mp4"}
    assert dataset.notes == ()


def test_repeated_rows_are_captions_of_one_item(tmp_path: Path) -> None:
    dataset = _open(tmp_path / "a.csv", "id,video,caption\na,a.mp4,one\nb,b.mp4,two\na,a.mp4,three\n")
    assert [(item.id, item.captions) for item in dataset.items] == [("a", ("one", "three")), ("b", ("two",))]


def test_names_of_circulating_datasets_are_understood(tmp_path: Path) -> None:
    dataset = _open(
        tmp_path / "a.json", '[{"videoID": 7, "enCap": ["x", "y"], "asr": "hi", "score": 1}]', text_only=True
    )
    item = dataset.items[0]
    assert (item.id, item.captions, item.subtitle) == ("7", ("x", "y"), "hi")
    assert dataset.notes[0].endswith("columns without a meaning here were ignored: score.")
    assert dataset.notes[1] == "1 item names no media: texts alone, as --text-only allows."


def test_columns_that_resemble_a_known_one_are_asked_about(tmp_path: Path) -> None:
    (note,) = _open(tmp_path / "a.csv", "id,video,file,class,captoin,mood\n1,a.mp4,a.wav,dog,bark,glad\n").notes
    assert note.endswith(
        "ignored: file, class, captoin, mood. Did you mean 'audio' by 'file'? Did you mean 'label' by 'class'? "
        "Did you mean 'caption' by 'captoin'?"
    )
    with pytest.raises(UserError, match=r"add for example 'video'\. Did you mean 'video' or 'audio' by 'Path'\?"):
        _open(tmp_path / "b.csv", "id,Path\n1,a.mp4\n")
    (note,) = _open(tmp_path / "c.csv", "id,video,label,class\n1,a.mp4,dog,wolf\n").notes
    assert note.endswith("ignored: class.")


MISNAMED = [
    (
        "id,vido,caption\na,a.mp4,x\n",
        r"m\.csv names no media \(columns: id, vido, caption\); add .* 'video' by 'vido'\? To",
    ),
    ("id,Vidoe Path,caption\na,a.mp4,x\n", "Did you mean 'video' by 'Vidoe Path'"),
    ("id,audoi,captoin\na,a.wav,x\n", "names no media and no captions .*'audio' by 'audoi'. .*'caption' by 'captoin'"),
    ("id,imgae,text\na,a.png,x\n", "Did you mean 'image' by 'imgae'"),
    ("id,file,text\na,a.png,x\n", "Did you mean 'video' or 'audio' by 'file'"),
    ("id,caption\na,x\n", "To embed texts without media all the same, add --text-only"),
    ("id,video,caption\na,a.mp4,x\nb,,y\nc,,z\n", r"line 3: the item 'b' names no media, nor do 1 others; name"),
    ("idx,video\n0,a.mp4\n", r"has no ids \(columns: idx, video\); .* Did you mean 'id' by 'idx'\?"),
    ("vide_id,video\n0,a.mp4\n", "Did you mean 'id' by 'vide_id'"),
]


@pytest.mark.parametrize(("text", "message"), MISNAMED)
def test_items_without_media_are_an_error_and_near_misses_are_named(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message) as caught:
        _open(tmp_path / "m.csv", text)
    assert caught.value.kind == "input"


def test_one_misnamed_key_among_many_is_named_with_its_row(tmp_path: Path) -> None:
    rows = [{"id": "a", "video": "a.mp4"}, {"id": "b", "vidoe": "b.mp4"}]
    for name in ("m.json", "m.jsonl"):
        with pytest.raises(
            UserError, match=r" 2: the item 'b' names no media; name .*Did you mean 'video' by 'vidoe'\?"
        ):
            open_dataset(str(_write(tmp_path / name, rows)))
    del rows[1]["vidoe"]
    dataset = open_dataset(str(_write(tmp_path / "m.json", rows)), text_only=True)
    assert [item.id for item in dataset.items] == ["a", "b"]
    assert "1 item names no media: texts alone, as --text-only allows." in dataset.notes


def test_texts_alone_are_for_manifests(tmp_path: Path) -> None:
    for data, root in ((str(tmp_path), None), ("msrvtt", tmp_path)):
        with pytest.raises(UserError, match="--text-only goes with a manifest") as caught:
            open_dataset(data, root, text_only=True)
        assert caught.value.exit_code == 2


@pytest.mark.parametrize("name", ["Video Path", "video-path", "videoPath", " VIDEO_PATH "])
def test_spaces_and_marks_in_the_name_of_a_column_do_not_matter(name: str, tmp_path: Path) -> None:
    (item,) = _open(tmp_path / "m.csv", f"ID,{name}\na,a.mp4\n").items
    assert item.media["video"] == tmp_path / "a.mp4"


def _items(dataset: Dataset) -> dict[str, int]:
    return {item.id: len(item.captions) for item in dataset.items}


def test_a_number_of_a_caption_is_no_item(reference_data: Path) -> None:
    dataset = open_dataset(str(reference_data / "data/faults/id_beside_video_id/m.json"))
    assert _items(dataset) == {"video1": 3, "video2": 3}
    assert dataset.notes[0].endswith("m.json: items are named by 'video_id'; 'id' numbers their captions.")


@pytest.mark.parametrize("suffix", ["csv", "tsv", "json", "jsonl"])
@pytest.mark.parametrize("column", ["video_id", "image_id", "Clip ID", "audio_id"])
def test_what_names_the_items_is_told_by_what_they_share(column: str, suffix: str, tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"id": k, column: f"v{k // 2}", "image": f"{k // 2}.png", "caption": str(k)} for k in range(4)
    ]
    assert _items(open_dataset(str(_write(tmp_path / f"a.{suffix}", rows)))) == {"v0": 2, "v1": 2}
    for row in rows:  # a clip of its own per row: the other column names what the clips were cut from
        row["image"] = f"{row['id']}.png"
    assert _items(open_dataset(str(_write(tmp_path / f"b.{suffix}", rows)))) == dict.fromkeys("0123", 1)


def test_the_coarser_name_that_fits_is_taken(tmp_path: Path) -> None:
    lines = [f"{k},yt,clip{k // 2},{k // 2}.mp4,x" for k in range(4)]
    dataset = _open(tmp_path / "m.csv", "\n".join(["id,video_id,clip_id,video,caption", *lines]))
    assert _items(dataset) == {"clip0": 2, "clip1": 2}
    lines = [f"{k // 2},{k},{k // 2}.mp4,x" for k in range(4)]
    assert _items(_open(tmp_path / "n.csv", "\n".join(["id,video_id,video,caption", *lines]))) == {"0": 2, "1": 2}
    assert _items(_open(tmp_path / "o.csv", "id,video_id,video\n0,,a.mp4\n1,x,a.mp4\n")) == {"0": 0, "1": 0}
    with pytest.raises(UserError, match=r"repeats the id 'v' .* with another split"):
        _open(tmp_path / "p.csv", "id,video_id,video,split\n0,v,a.mp4,train\n1,v,a.mp4,test\n")


def test_media_under_several_ids_are_counted(tmp_path: Path) -> None:
    rows = "0,a.mp4,\n1,./a.mp4,s.wav\n2,b.mp4,s.wav\n3,c.mp4,\n"
    (note,) = _open(tmp_path / "m.csv", f"id,video,audio\n{rows}").notes
    assert note.endswith(
        "m.csv: 2 media files are named by several ids, 3 items in all; for instance video a.mp4 by 0, 1. "
        "Such items cannot be told apart: give rows of one file one id."
    )


def test_our_name_goes_before_an_alias(tmp_path: Path) -> None:
    dataset = _open(tmp_path / "a.csv", "id,video_id,Caption,desc\n1,2,mine,theirs\n", text_only=True)
    assert (dataset.items[0].id, dataset.items[0].captions) == ("1", ("mine",))
    assert dataset.notes[0].endswith("ignored: video_id, desc.")


def test_missing_media_and_odd_paths_are_kept_for_the_reader(tmp_path: Path) -> None:
    rows = [{"id": "a", "video": "gone.mp4"}, {"id": "b", "video": "x" * 300}, {"id": "c", "image": "a\0b"}]
    dataset = open_dataset(str(_write(tmp_path / "a.json", rows)))
    assert len(dataset.items) == 3


def test_media_can_start_from_a_root(tmp_path: Path) -> None:
    dataset = _open(tmp_path / "a.csv", "id,image\na,x.png\n", root=Path("/data"))
    assert dataset.items[0].media == {"image": Path("/data/x.png")}


def test_utf8_is_read_with_its_mark_and_nothing_else_is(tmp_path: Path) -> None:
    dataset = _open(tmp_path / "a.csv", "id,caption\r\na,café\r\n".encode("utf-8-sig"), text_only=True)
    assert dataset.items[0].captions == ("café",)
    with pytest.raises(UserError, match=r"b\.csv is not UTF-8 text"):
        _open(tmp_path / "b.csv", "id,caption\r\na,café\r\n".encode("utf-16"))


def test_empty_and_missing_values_are_absent(tmp_path: Path) -> None:
    item = _open(
        tmp_path / "a.json", '[{"id": "a", "caption": NaN, "subtitle": " ", "label": null}]', text_only=True
    ).items[0]
    assert (item.captions, item.subtitle, item.label, dict(item.media)) == ((), None, None, {})


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", r"a\.csv holds no rows"),
        ("a.csv", "id,video\n\n", r"a\.csv holds no rows"),
        ("a.json", "[]", r"a\.json holds no rows"),
        ("a.csv", "video,caption\na.mp4,x\n", r"a\.csv has no ids \(columns: video, caption\); add a column 'id'"),
        ("a.csv", "id;video\na;b\n", r"a\.csv has no ids .*separate its columns by commas"),
        ("a.csv", "id,label\na,b\n", r"a\.csv names no media and no captions \(columns: id, label\)"),
        ("a.csv", "id,video\n,a.mp4\n", r"a\.csv line 2 has an empty id"),
        ("a.csv", "id,id,video\na,a,b\n", r"a\.csv line 1 names the column 'id' twice"),
        ("a.csv", "ID,id,video\na,a,b\n", r"a\.csv has ids in two columns, ID, id; rename one 'id'"),
        ("a.csv", "video_id,clip_id,text\na,a,b\n", r"has ids in two columns, video_id, clip_id"),
        (
            "a.csv",
            "id,caption\na,one, two\n",
            r"a\.csv line 2 has 3 cells, the header 2; quote cells that hold a comma",
        ),
        ("a.csv", 'id,caption\na,"open\nb,c\n', r"a\.csv line 2 is not a valid table row"),
        ("a.csv", "id,caption\na,\"['x', 'y']\"\n", r"a\.csv line 2: the caption .* is not a JSON list of texts"),
        (
            "a.csv",
            'id,video,caption\na,1.mp4,"two\nlines"\na,2.mp4,x\n',
            r"a\.csv line 4 repeats the id 'a' of .* line 2",
        ),
        ("a.csv", "id,caption,split\na,x,train\na,y,test\n", r"line 3 repeats the id 'a' .* with another split"),
        ("a.csv", "id,video\na,https://x.org/a.mp4\n", r"a\.csv line 2: video is the address https://"),
        ("a.json", '[\n{"id": 1},\n{"id" 2}]', r"a\.json is not valid JSON at line 3 column 7"),
        ("a.json", "[" * 100_000, r"a\.json line 1 is JSON that cannot be read"),
        ("a.json", '{"id": 1}', r"a\.json must be a list of objects"),
        ("a.json", '[{"id": 1, "caption": "x"}, 5]', r"a\.json entry 2 is not an object"),
        ("a.json", '[{"id": true, "caption": "x"}]', r"entry 1: id must be one text or number; found true"),
        ("a.json", '[{"id": 1, "caption": {"en": "x"}}]', r"entry 1: caption must be one text or number"),
        ("a.json", '[{"id": "\\ud800", "caption": "x"}]', r"entry 1: id holds half of a surrogate pair"),
        ("a.jsonl", '{"id": 1, "caption": "x"}\n{"id": 2', r"a\.jsonl is not valid JSON at line 2"),
        ("a.csv", b"id,caption\na,caf\xe9\n", r"a\.csv is not UTF-8 text \(byte 0xe9 in line 2\); save it as UTF-8"),
        ("a.csv", b"id\0", r"a\.csv is not UTF-8 text \(it holds zero bytes\)"),
    ],
)
def test_mistakes_are_named_with_their_place(name: str, content: str | bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message) as caught:
        _open(tmp_path / name, content)
    assert caught.value.kind == "input"


def test_a_folder_is_no_media(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    with pytest.raises(UserError, match=r"a\.csv line 2: video 'clips' is a folder; name a file"):
        _open(tmp_path / "a.csv", "id,video\na,clips\n")


texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)


@given(rows=st.lists(st.tuples(texts, st.lists(texts, max_size=3)), min_size=1, max_size=6))
@pytest.mark.parametrize("suffix", ["csv", "tsv", "json", "jsonl"])
def test_what_is_written_comes_back(rows, suffix: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("manifest") / f"a.{suffix}"
    told = [{"id": f"{number}{name}", "caption": captions} for number, (name, captions) in enumerate(rows)]
    dataset = open_dataset(str(_write(path, told)), text_only=True)
    assert [item.id for item in dataset.items] == [composed(row["id"].strip()) for row in told]
    kept = [tuple(text.strip() for text in row["caption"] if text.strip()) for row in told]
    assert [item.captions for item in dataset.items] == kept


@given(raw=st.binary(max_size=80), start=st.sampled_from([b"", b"id,caption\n", b"[", b'[{"id": ', b'{"id": 1']))
@pytest.mark.parametrize("suffix", ["csv", "tsv", "json", "jsonl"])
def test_any_bytes_open_or_end_in_a_user_error(
    raw: bytes, start: bytes, suffix: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    try:
        dataset = _open(tmp_path_factory.mktemp("fuzz") / f"a.{suffix}", start + raw)
    except UserError as error:
        assert error.kind == "input"
    else:
        assert dataset.items


@pytest.mark.parametrize(
    ("name", "n", "captions", "modalities"),
    [
        ("clips/annotations.json", 4, 4, ("text", "video", "audio")),
        ("digits3/annotations.json", 1500, 1500, ("text", "audio", "image")),
        ("annotations/vatex/descs_ret_test.json", 1500, 15000, ("text", "subtitle")),
    ],
)
def test_reference_manifests_open(reference_data: Path, name: str, n: int, captions: int, modalities) -> None:
    dataset = open_dataset(str(reference_data / "data" / name), text_only=name.startswith("annotations/"))
    assert len(dataset.items) == n
    assert sum(len(item.captions) for item in dataset.items) == captions
    assert dataset.modalities == modalities
    assert all(path.is_file() for item in dataset.items for path in item.media.values())


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("m.csv", ",id,video,caption\n0,a,a.mp4,a dog\n1,b,b.mp4,a cat\n"),
        ("m.csv", "id,video,caption,\na,a.mp4,a dog,hello\nb,b.mp4,a cat,bye\n"),
        ("m.tsv", "\tid\tvideo\tcaption\n0\ta\ta.mp4\ta dog\n1\tb\tb.mp4\ta cat\n"),
        ("m.csv", " ,id,video,caption\n0,a,a.mp4,a dog\n1,b,b.mp4,a cat\n"),
        ("m.jsonl", '{"": "q", "id": "a", "video": "a.mp4", "caption": "a dog"}\n'
                    '{"": "r", "id": "b", "video": "b.mp4", "caption": "a cat"}\n'),
    ],
)  # fmt: skip
def test_a_column_without_a_name_is_none_of_ours(tmp_path, name, text):
    """As pandas writes its index: once read as every column that is missing."""
    (tmp_path / name).write_text(text)
    found = open_dataset(str(tmp_path / name))
    assert [item.captions for item in found.items] == [("a dog",), ("a cat",)]
    assert [(item.subtitle, item.label, item.split) for item in found.items] == [(None, None, None)] * 2
    assert {name for item in found.items for name in item.media} <= {"video", "audio"}
    assert any("the column without a name was ignored" in note for note in found.notes)
