"""What lies beside media is used, or its loss is said: subtitles named after a language, pictures not read."""

from pathlib import Path

import pytest

from gramcli.datasets.folder import read_folder
from gramcli.errors import UserError
from tests.media_factory import write_image, write_subtitle


def _subtitles(folder: Path, *names: str) -> tuple[dict[str, str | None], tuple[str, ...]]:
    write_image(folder / "talk.png")
    write_image(folder / "walk.png")
    for name in names:
        write_subtitle(folder / name, (f"said in {name}",))
    dataset = read_folder(folder)
    return {item.id: item.subtitle for item in dataset.items}, dataset.notes


@pytest.mark.parametrize(
    "name", ["talk.en.vtt", "talk.eng.srt", "talk.en-US.vtt", "talk.zh-Hans.vtt", "talk.en.auto.vtt", "talk.EN.srt"]
)
def test_the_only_language_is_used(name: str, tmp_path: Path) -> None:
    found, notes = _subtitles(tmp_path, name)
    assert found == {"talk": f"said in {name}", "walk": None}
    assert notes == (f"Subtitles named after a language were taken for the item beside them: {name}.",)


@pytest.mark.parametrize("names", [("talk.de.vtt", "talk.en.vtt"), ("talk.en.vtt", "talk.srt")])
def test_of_several_none_is_guessed(names: tuple[str, ...], tmp_path: Path) -> None:
    found, notes = _subtitles(tmp_path, *names)
    assert found["talk"] == ("said in talk.srt" if "talk.srt" in names else None)
    left = ", ".join(name for name in names if name != "talk.srt")
    assert notes == (f"Subtitles of several languages beside one item, or besides its own, were left out: {left}.",)


def test_a_name_that_is_no_language_is_said_as_before(tmp_path: Path) -> None:
    found, notes = _subtitles(tmp_path, "talk.final.vtt", "other.en.vtt")
    assert found == {"talk": None, "walk": None}
    assert notes == ("Files beside no media were left out: other.en.vtt, talk.final.vtt.",)


def test_an_item_of_such_a_name_keeps_its_own(tmp_path: Path) -> None:
    write_image(tmp_path / "talk.en.png")
    found, notes = _subtitles(tmp_path, "talk.en.vtt")
    assert found == {"talk": None, "talk.en": "said in talk.en.vtt", "walk": None}
    assert notes == ()


def test_pictures_of_formats_that_are_not_read_are_said_to_be_so(tmp_path: Path) -> None:
    (tmp_path / "a.HEIC").write_bytes(b"x")
    (tmp_path / "b.xyz").write_bytes(b"x")
    with pytest.raises(
        UserError, match=r"no video, sound or picture that is read \(.*a\.HEIC is to be converted to JPEG"
    ):
        read_folder(tmp_path)
    write_image(tmp_path / "a.jpg")
    assert read_folder(tmp_path).notes == (
        "Files of no kind that items are made of were left out: b.xyz.",
        "Files that are pictures of formats not read (convert them to JPEG or PNG) were left out: a.HEIC.",
    )
