"""Names that are one name to people and several to Python: Unicode's normal forms, and case."""

import json
import shutil
import unicodedata
from pathlib import Path

import pytest

from gramcli.datasets import Dataset, open_dataset
from gramcli.datasets.names import Finder
from gramcli.errors import UserError

COMPOSED, APART = (unicodedata.normalize(form, "caf\u00e9") for form in ("NFC", "NFD"))


def _touch(folder: Path, *names: str, content: str = "x") -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    return folder


def _manifest(path: Path, *rows: dict[str, object]) -> Dataset:
    path.write_text(json.dumps(rows), encoding="utf-8")
    return open_dataset(str(path))


@pytest.fixture
def tells_case_apart(tmp_path: Path) -> None:
    (tmp_path / "Case").mkdir()
    if (tmp_path / "case").exists():
        pytest.skip("this file system does not tell case apart")
    (tmp_path / "Case").rmdir()


def test_the_reference_folder_keeps_its_caption(reference_data: Path, tmp_path: Path) -> None:
    shutil.copytree(reference_data / "data/faults/unicode_names", tmp_path / "d")
    (item,) = open_dataset(str(tmp_path / "d")).items
    assert (item.id, item.captions) == (COMPOSED, ("a coffee",))
    (name,) = [path.name for path in (tmp_path / "d").iterdir() if path.suffix == ".mp4"]
    assert name == f"{APART}.mp4"
    (tmp_path / "d" / "m.csv").write_text(f"id,video\na,{COMPOSED}.mp4\n", encoding="utf-8")
    dataset = open_dataset(str(tmp_path / "d" / "m.csv"))
    assert dataset.items[0].media["video"].is_file()
    assert dataset.notes[0].endswith(
        r"m.csv: 1 name is spelled in another Unicode form than on disk, and found, for instance "
        r"'caf\xe9.mp4' and 'cafe\u0301.mp4'."
    )


@pytest.mark.parametrize(("written", "there"), [(COMPOSED, APART), (APART, COMPOSED)])
@pytest.mark.parametrize("where", ["{}.mp4", "{0}/{0}.mp4", "{}/deep/er/clip.mp4", "x/../{}.mp4"])
@pytest.mark.parametrize("absolute", [False, True])
def test_media_of_a_manifest_are_found(written: str, there: str, where: str, absolute: bool, tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    _touch(tmp_path, where.format(there))
    named = str(tmp_path / where.format(written)) if absolute else where.format(written)
    dataset = _manifest(tmp_path / "m.json", {"id": 1, "video": named})
    assert dataset.items[0].media["video"].is_file()
    assert "another Unicode form" in dataset.notes[0]


@pytest.mark.usefixtures("tells_case_apart")
def test_case_is_forgiven_where_one_name_fits(tmp_path: Path) -> None:
    _touch(tmp_path, "Clips/One.MP4", "two.mp4", "TWO.mp4", f"{APART.upper()}.wav")
    rows = [{"id": k, "video": name} for k, name in enumerate(["clips/one.mp4", "two.mp4", "TWO.mp4"])]
    dataset = _manifest(tmp_path / "m.json", *rows, {"id": 3, "audio": f"{COMPOSED}.wav"})
    assert [item.media["video"].name for item in dataset.items[:3]] == ["One.MP4", "two.mp4", "TWO.mp4"]
    assert dataset.items[3].media["audio"].is_file()
    (note,) = dataset.notes
    assert "m.json: 3 names are spelled in other upper and lower case than on disk, and found, for instance" in note


@pytest.mark.usefixtures("tells_case_apart")
def test_both_spellings_are_named_where_two_fit(tmp_path: Path) -> None:
    _touch(tmp_path, "two.mp4", "TWO.mp4")
    (item,) = _manifest(tmp_path / "m.json", {"id": 1, "video": "Two.mp4"}).items
    assert not item.media
    for name in ("video", "audio"):
        assert item.unreadable[name].endswith(
            "'TWO.mp4' and 'two.mp4' resemble 'Two.mp4'; write the one that is meant."
        )


def test_what_is_not_there_stays_as_it_is_written(tmp_path: Path) -> None:
    for name in ("gone.mp4", f"{APART}/x.mp4", "x" * 300, "a\0b"):
        assert Finder().find(tmp_path / name) == tmp_path / name
    assert Finder().find(Path("gone.mp4")) == Path("gone.mp4")


def test_ids_are_one_whatever_their_form(tmp_path: Path) -> None:
    rows = [{"id": form, "video": "a.mp4", "caption": str(k)} for k, form in enumerate((COMPOSED, APART))]
    (item,) = _manifest(tmp_path / "m.json", *rows).items
    assert (item.id, item.captions) == (COMPOSED, ("0", "1"))
    rows[1]["video"] = "b.mp4"
    with pytest.raises(UserError, match=r"with another video \('caf\\xe9' and 'cafe\\u0301' are one id\)"):
        _manifest(tmp_path / "m.json", *rows)


def test_labels_are_one_class_whatever_their_form(tmp_path: Path) -> None:
    rows = [{"id": k, "video": f"{k}.mp4", "label": form} for k, form in enumerate((COMPOSED, APART))]
    assert {item.label for item in _manifest(tmp_path / "m.json", *rows).items} == {COMPOSED}
    _touch(tmp_path / "d", f"{COMPOSED}/1.mp4", f"{APART}/2.mp4", "tea/3.mp4")
    assert {item.label for item in open_dataset(str(tmp_path / "d")).items} == {COMPOSED, "tea"}


@pytest.mark.parametrize("folder", ["", "{}/", "x/{}/"])
def test_files_of_a_folder_are_joined_by_their_form(folder: str, tmp_path: Path) -> None:
    for k, (suffix, form) in enumerate({"mp4": APART, "txt": COMPOSED, "json": APART, "wav": COMPOSED}.items()):
        text = '{"caption": "two"}' if suffix == "json" else "one"
        _touch(tmp_path, f"{folder.format(form if k % 2 else COMPOSED)}{form}.{suffix}", content=text)
    (item,) = open_dataset(str(tmp_path)).items
    assert (item.id, item.captions) == (f"{folder.format(COMPOSED)}{COMPOSED}", ("one", "two"))
    assert item.media["audio"].suffix == ".wav"


def test_two_files_of_one_name_are_told_apart_in_the_message(tmp_path: Path) -> None:
    _touch(tmp_path, f"{APART}.mp4", f"{COMPOSED}.mp4")
    if len(list(tmp_path.iterdir())) < 2:
        pytest.skip("this file system keeps one form")
    with pytest.raises(UserError, match=r"the video of one item \('cafe\\u0301\.mp4' and 'caf\\xe9\.mp4'\); rename"):
        open_dataset(str(tmp_path))


@pytest.mark.usefixtures("tells_case_apart")
def test_texts_of_a_folder_are_joined_by_case_where_one_item_fits(tmp_path: Path) -> None:
    _touch(tmp_path, "Clip.mp4", "A/b.mp4")
    _touch(tmp_path, "clip.txt", "a/B.TXT", content="one")
    dataset = open_dataset(str(tmp_path))
    assert [(item.id, item.captions) for item in dataset.items] == [("A/b", ("one",)), ("Clip", ("one",))]
    assert dataset.notes == ("Texts whose names differ in case only from media were taken for theirs: a/B, clip.",)
    _touch(tmp_path, "CLIP.mp4", "Clip.txt")
    dataset = open_dataset(str(tmp_path))
    assert [len(item.captions) for item in dataset.items] == [1, 0, 1]
    assert "Items whose names differ in case only are items of their own: CLIP and Clip." in dataset.notes
    assert any("but for case: 'clip' ('CLIP' and 'Clip')" in note for note in dataset.notes)
    assert "Files beside no media were left out: clip.txt." in dataset.notes


def test_what_is_named_on_the_command_line_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _touch(tmp_path, f"{APART}/a.mp4", f"{APART}.csv", content="id,video\na,b.mp4\n")
    monkeypatch.chdir(tmp_path)
    for name in (COMPOSED, f"{COMPOSED}.csv", str(tmp_path / COMPOSED)):
        assert [item.id for item in open_dataset(name).items] == ["a"]
    with pytest.raises(UserError, match="no such file or folder"):
        open_dataset("gone.csv")


def test_files_of_a_benchmark_are_found(tmp_path: Path) -> None:
    _touch(tmp_path, f"evaluation/{APART}.wav", "evaluation/tea.wav")
    (tmp_path / "clotho_captions_evaluation.csv").write_text(
        f"file_name,caption_1\n{COMPOSED}.wav,a\ntea.wav,b\n", encoding="utf-8"
    )
    items = open_dataset("clotho", tmp_path).items
    assert [(item.id, item.media["audio"].is_file()) for item in items] == [(COMPOSED, True), ("tea", True)]
