"""A media folder: files with one stem are one item."""

import json
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gramcli.datasets import Dataset, open_dataset
from gramcli.datasets.tree import unread_folders
from gramcli.errors import UserError
from tests.media_factory import write_subtitle


def _touch(folder: Path, *names: str, content: str = "x") -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")


def _ids(dataset: Dataset) -> list[str]:
    return [item.id for item in dataset.items]


def test_one_stem_is_one_item(tmp_path: Path) -> None:
    folder = tmp_path / "my media"
    _touch(folder, "a.mp4", "a.wav", "b.PNG", "deep/er/c.mp4")
    _touch(folder, "a.txt", content="a dog\n\na cat\n")
    _touch(folder, "a.json", content='{"captions": ["a dog", "a cow"], "label": 3, "split": "val", "fps": 5}')
    write_subtitle(folder / "a.srt")
    dataset = open_dataset(str(folder))
    assert (dataset.id, dataset.protocol, dataset.annotation_sha256) == ("my media", "folder", None)
    assert dataset.modalities == ("text", "video", "audio", "subtitle", "image")
    first, second, third = dataset.items
    assert (first.id, first.captions, first.label, first.split) == ("a", ("a dog", "a cat", "a cow"), "3", "val")
    assert first.subtitle == "hello there good bye"
    assert first.media == {"video": folder / "a.mp4", "audio": folder / "a.wav"}
    assert (second.id, dict(second.media)) == ("b", {"image": folder / "b.PNG"})
    assert third.id == "deep/er/c"
    assert third.media == {"video": folder / "deep/er/c.mp4", "audio": folder / "deep/er/c.mp4"}
    assert dataset.notes == ("a.json: fields without a meaning here were ignored: fps.",)


def test_paths_are_absolute_for_a_relative_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _touch(tmp_path / "clips", "a.mp4")
    monkeypatch.chdir(tmp_path)
    assert open_dataset("clips").items[0].media["video"] == tmp_path / "clips" / "a.mp4"
    monkeypatch.chdir("clips")
    assert open_dataset(".").id == "clips"


def test_hidden_stray_and_orphan_files_are_left_out(tmp_path: Path) -> None:
    _touch(tmp_path, "a.mp4", ".hidden.mp4", ".cache/b.mp4", "README.md", "list.csv", "lonely.txt")
    dataset = open_dataset(str(tmp_path))
    assert _ids(dataset) == ["a"]
    assert dataset.notes == (
        "Files of no kind that items are made of were left out: README.md, list.csv.",
        "Files beside no media were left out: lonely.txt.",
    )


def test_link_loops_are_walked_once_and_real_folders_name_the_items(tmp_path: Path) -> None:
    _touch(tmp_path, "z/a.mp4")
    (tmp_path / "z" / "up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "alias").symlink_to(tmp_path / "z", target_is_directory=True)
    (tmp_path / "self.mp4").symlink_to(tmp_path / "self.mp4")
    assert _ids(open_dataset(str(tmp_path))) == ["self", "z/a"]


def test_a_linked_folder_elsewhere_is_entered(tmp_path: Path) -> None:
    _touch(tmp_path, "store/a.mp4", "data/b.mp4")
    (tmp_path / "data" / "more").symlink_to(tmp_path / "store", target_is_directory=True)
    assert _ids(open_dataset(str(tmp_path / "data"))) == ["b", "more/a"]


def test_names_that_are_not_utf8_give_printable_ids(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9\n.mp4")).touch()
    assert _ids(open_dataset(str(tmp_path))) == [r"caf\udce9\n"]


def test_a_broken_text_costs_the_item_that_text(tmp_path: Path) -> None:
    _touch(tmp_path, "a.mp4")
    (tmp_path / "a.txt").write_bytes(b"\0\1")
    (tmp_path / "a.srt").touch()
    dataset = open_dataset(str(tmp_path))
    assert (dataset.items[0].captions, dataset.items[0].subtitle) == ((), None)
    assert "a.txt is not a text file" in dataset.items[0].unreadable["text"]
    assert dataset.modalities == ("text", "video", "audio")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{\n oops}", r"a\.json is not valid JSON at line 2 column 2"),
        ("[1]", r"a\.json must hold one JSON object"),
        (b'{"caption": "caf\xe9"}', r"a\.json is not UTF-8"),
    ],
)
def test_a_broken_json_costs_the_item_its_text(content: str | bytes, message: str, tmp_path: Path) -> None:
    _touch(tmp_path, "a.mp4")
    (tmp_path / "a.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    (item,) = open_dataset(str(tmp_path)).items
    assert re.search(message, item.unreadable["text"])


def test_a_pipe_named_as_annotation_is_not_opened(tmp_path: Path) -> None:
    _touch(tmp_path, "a.mp4")
    os.mkfifo(tmp_path / "a.json")
    assert "is a pipe, socket or device" in open_dataset(str(tmp_path)).items[0].unreadable["text"]
    os.mkfifo(tmp_path / "m.csv")
    with pytest.raises(UserError, match="is a pipe or device"):
        open_dataset(str(tmp_path / "m.csv"))


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, r"The folder .* is empty; put media files in it"),
        ({"a.txt": "x", "b.md": "x"}, r"The folder .* holds no video, sound or picture"),
        ({"a.mp4": "x", "a.mkv": "x"}, r"a\.mkv and .*a\.mp4 are both the video of one item; rename"),
        ({"a.mp4": "x", "a.json": '{"label": [1]}'}, r"a\.json: label must be one text or number; found \[1\]"),
    ],
)
def test_folders_that_are_no_dataset(files: dict[str, str], message: str, tmp_path: Path) -> None:
    for name, content in files.items():
        _touch(tmp_path, name, content=content)
    with pytest.raises(UserError, match=message) as caught:
        open_dataset(str(tmp_path))
    assert caught.value.kind == "input"


@given(names=st.sets(st.from_regex(r"[a-z]{1,3}(/[a-z]{1,3})?", fullmatch=True), min_size=1, max_size=8))
def test_every_media_file_is_an_item_in_order(names: set[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("media")
    _touch(folder, *(f"{name}.mp4" for name in names))
    assert _ids(open_dataset(str(folder))) == sorted(names)


def _media(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    return root


def test_a_folder_per_class_gives_labels(tmp_path: Path) -> None:
    found = open_dataset(str(_media(tmp_path / "plain", "dog barking/a.mp4", "dog barking/b.wav", "rain/c.mp4")))
    assert [(item.label, item.split) for item in found.items] == [("dog barking", None)] * 2 + [("rain", None)]
    assert "The 2 folders were taken as classes" in found.notes[-1]
    found = open_dataset(str(_media(tmp_path / "split", "train/dog/a.mp4", "test/dog/b.mp4", "test/rain/c.mp4")))
    assert [(item.label, item.split) for item in found.items] == [("dog", "test"), ("rain", "test"), ("dog", "train")]
    names = ("dog/training/a.mp4", "dog/Test/b.mp4", "rain/Test/c.mp4")
    found = open_dataset(str(_media(tmp_path / "below", *names)))
    assert [(item.label, item.split) for item in found.items] == [
        ("dog", "test"),
        ("dog", "train"),
        ("rain", "test"),
    ]
    assert "The 2 folders above folders of splits were taken as classes" in found.notes[-2]
    assert found.notes[-1] == "Names of splits were read as what they mean: 'Test' as 'test', 'training' as 'train'."


@pytest.mark.parametrize(
    "names",
    [
        ("dog/a.mp4", "b.mp4"),
        ("dog/a.mp4", "dog/b.mp4"),
        ("videos/a.mp4", "audios/b.wav"),
        ("train/a.mp4", "test/b.mp4"),
        ("dog/1/a.mp4", "rain/b.mp4"),
        ("dog/1/a.mp4", "rain/1/b.mp4"),
        ("dog/train/a.mp4", "rain/b.mp4"),
        ("videos/train/a.mp4", "audios/train/b.wav"),
        ("train/val/a.mp4", "test/val/b.mp4"),
    ],
)
def test_other_folders_are_no_classes(tmp_path: Path, names: tuple[str, ...]) -> None:
    assert {item.label for item in open_dataset(str(_media(tmp_path, *names))).items} == {None}


def test_labels_of_its_own_come_first(tmp_path: Path) -> None:
    root = _media(tmp_path, "dog/a.mp4", "rain/b.mp4")
    (root / "dog/a.json").write_text('{"label": "wolf"}')
    assert [item.label for item in open_dataset(str(root)).items] == ["wolf", None]


def test_fields_that_all_files_have_are_noted_once(reference_data: Path) -> None:
    dataset = open_dataset(str(reference_data / "data/faults/notes_per_file"))
    assert [len(item.captions) for item in dataset.items] == [1] * 4
    (note,) = [note for note in dataset.notes if "fields" in note]
    assert note == (
        "4 JSON files, such as 000000000.json: fields without a meaning here were ignored: error_message, exif, "
        "height, key, original_height, original_width, sha256, status, url, width."
    )


def test_fields_that_differ_are_one_note_with_what_may_be_meant(tmp_path: Path) -> None:
    _touch(tmp_path, *(f"{number}.mp4" for number in range(30)))
    for number in range(30):
        (tmp_path / f"{number}.json").write_text(json.dumps({"captoin": "x", f"field{number:02}": 1}))
    (note,) = open_dataset(str(tmp_path)).notes
    assert note.startswith(
        "30 JSON files, such as 0.json: fields without a meaning here were ignored: captoin, field00"
    )
    assert note.endswith("field18 and 11 more. Did you mean 'caption' by 'captoin'?")


def test_folders_that_cannot_be_read_are_one_note() -> None:
    assert unread_folders([]) == []
    assert unread_folders([("a", "Permission denied")]) == [
        "The folder a cannot be read (Permission denied) and was left out."
    ]
    many = [(f"d{number}", "Permission denied") for number in range(1000)]
    assert unread_folders(many) == ["1,000 folders cannot be read (Permission denied) and were left out, such as d0."]
