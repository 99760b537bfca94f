"""Captions and subtitles in the encodings and forms they come in."""

import codecs
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gramcli.errors import UserError
from gramcli.media.text import MAX_TEXT_BYTES, _cue_lines, decode_text, read_subtitle, read_text
from tests.media_factory import write_subtitle

CAPTIONS = "a café\r\n\r\n  a dog \rand ünï\n"


def _write(path: Path, raw: bytes) -> Path:
    path.write_bytes(raw)
    return path


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
def test_captions_are_lines(mark: bytes, tmp_path: Path) -> None:
    assert read_text(_write(tmp_path / "a.txt", mark + CAPTIONS.encode())) == ["a café", "a dog", "and ünï"]


@pytest.mark.parametrize(
    ("raw", "where", "encoding"),
    [
        (CAPTIONS.encode("latin-1"), "byte 5, line 1", "WINDOWS-1252"),
        ("one\ntwo\r\ncafé".encode("cp1252"), "byte 12, line 3", "WINDOWS-1252"),
        (CAPTIONS.encode("utf-16"), "byte 0, line 1, and it starts with a UTF-16 mark", "UTF-16"),
        (codecs.BOM_UTF16_BE + CAPTIONS.encode("utf-16-be"), "starts with a UTF-16 mark", "UTF-16"),
        (CAPTIONS.encode("utf-32"), "starts with a UTF-32 mark", "UTF-32"),
        ("é€".encode()[:-1], "byte 2, line 1", "WINDOWS-1252"),
        (b"\xed\xa0\x80", "byte 0, line 1", "WINDOWS-1252"),
        (b"a\n\xc0\xaf", "byte 2, line 2", "WINDOWS-1252"),
    ],
)
def test_another_encoding_is_named_not_guessed(raw: bytes, where: str, encoding: str, tmp_path: Path) -> None:
    for read in (read_text, read_subtitle):
        with pytest.raises(UserError, match=rf"a\.srt is not UTF-8 text \(.*{where}\).* iconv -f {encoding} -t UTF-8"):
            read(_write(tmp_path / "a.srt", raw))


def test_an_empty_file_has_no_captions(tmp_path: Path) -> None:
    assert read_text(_write(tmp_path / "a.txt", b"")) == []


def test_binary_and_huge_files_are_no_text(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"a\.txt is not a text file"):
        read_text(_write(tmp_path / "a.txt", b"\x00\x01\xff"))
    with (tmp_path / "big.txt").open("wb") as file:
        file.truncate(MAX_TEXT_BYTES + 1)
    with pytest.raises(UserError, match="is over 64 MiB"):
        read_text(tmp_path / "big.txt")


@given(st.binary(max_size=300))
def test_any_bytes_are_text_or_one_sentence(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    path = _write(tmp_path_factory.mktemp("text") / "a.vtt", raw)
    for read in (read_text, read_subtitle):
        try:
            read(path)
        except UserError as error:
            assert error.message.startswith(str(path))


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_utf8_decodes_to_itself(text: str) -> None:
    assert decode_text(codecs.BOM_UTF8 + text.encode()) == text


def test_subrip_loses_numbers_times_and_tags(tmp_path: Path) -> None:
    path = write_subtitle(tmp_path / "a.srt", ("hello there", "<b>good</b> bye", "1984"))
    assert read_subtitle(path) == "hello there good bye 1984"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            "WEBVTT - title\nKind: captions\n\nNOTE not said\nnor this\n\nSTYLE\n::cue {}\n\nintro\n"
            "00:01.000 --> 00:02.000 align:start\n<v Roger>it&apos;s <00:01.500><c>me</c>\n",
            "it's me",
        ),
        ("1\n00:00:01,000 --> 00:00:02,000\nfirst\n2\n00:00:03,000 --> 00:00:04,000\nsecond", "first second"),
        (
            "1\n00:00:01,000 --> 00:00:02,000\nfirst\n\nstill first\n\n2\n00:00:02,000 --> 00:00:03,000\n\n",
            "first still first",
        ),
        ("1\n00:00:01,000 --> 00:00:02,000\n{\\an8}I <3 you, 3 > 2\n", "I <3 you, 3 > 2"),
        ("just a\ntranscript", "just a transcript"),
        ("", ""),
    ],
)
def test_what_is_said(content: str, said: str, tmp_path: Path) -> None:
    assert read_subtitle(_write(tmp_path / "a.vtt", content.encode())) == said


@given(st.lists(st.sampled_from(["", "1", "hello", "00:01.000 --> 00:02.000", "NOTE x", "WEBVTT", "<b>"]), max_size=12))
def test_no_time_is_ever_said(lines: list[str]) -> None:
    said = _cue_lines(lines)
    assert not any("-->" in line for line in said)
    assert len(said) <= len(lines)


@given(st.lists(st.text("abc é,.!?'3", min_size=1, max_size=20).filter(str.strip), max_size=8), st.sampled_from("\n\r"))
def test_what_was_written_as_cues_is_what_is_said(
    tmp_path_factory: pytest.TempPathFactory, said: list[str], end: str
) -> None:
    cues = [f"{k}\n00:00:{k:02d},000 --> 00:00:{k:02d},900\n{line}\n\n" for k, line in enumerate(said, 1)]
    path = _write(tmp_path_factory.mktemp("cues") / "a.srt", "".join(cues).replace("\n", end).encode("utf-8-sig"))
    assert read_subtitle(path) == " ".join(" ".join(said).split())


ONION = ["first we chop the onion", "then fry it slowly", "and add salt", "that is all", "[Music]", "goodbye"]
SAID = " ".join(ONION)


def _time(seconds: float, comma: str) -> str:
    return f"00:{int(seconds // 60):02d}:{seconds % 60:06.3f}".replace(".", comma)


def _file(cues: list[tuple[float, float, list[str]]], srt: bool) -> str:
    comma = "," if srt else "."
    head = "" if srt else "WEBVTT\nKind: captions\n\nSTYLE\n::cue(c) { color: red }\n\nNOTE a remark\n\n"
    where = "" if srt else " align:start position:0%"
    blocks = [
        (f"{number}\n" if srt else "") + f"{_time(a, comma)} --> {_time(b, comma)}{where}\n" + "\n".join(lines)
        for number, (a, b, lines) in enumerate(cues, 1)
    ]
    return head + "\n\n".join(blocks) + "\n"


def _spoken(line: str, tagged: bool) -> str:
    first, *rest = line.split()
    return first + "".join(f"<00:00:01.500><c> {word}</c>" for word in rest) if tagged else line


def _two_rows(tagged: bool, fillers: bool) -> list[tuple[float, float, list[str]]]:
    cues, before = [], " "
    for k, line in enumerate(ONION):
        cues.append((2.0 * k, 2.0 * k + 1.99, [before, _spoken(line, tagged)]))
        if fillers:
            cues.append((2.0 * k + 1.99, 2.0 * k + 2.0, [line, " "]))
        before = line
    return cues


def _growing() -> list[tuple[float, float, list[str]]]:
    words = [(k, line.split()) for k, line in enumerate(ONION)]
    return [(5.0 * k + n, 5.0 * k + n + 1, [" ".join(line[: n + 1])]) for k, line in words for n in range(len(line))]


def _rows(n: int) -> list[tuple[float, float, list[str]]]:
    return [(2.0 * k, 2.0 * k + 2, ONION[max(0, k - n + 1) : k + 1]) for k in range(len(ONION))]


ROLLING = {
    "automatic, with times of words": _two_rows(True, True),
    "automatic, times lost": _two_rows(False, True),
    "automatic, fillers lost": _two_rows(True, False),
    "two rows": _rows(2),
    "three rows": _rows(3),
    "growing": _growing(),
    "two rows with gaps": [(a, b - 0.5, lines) for a, b, lines in _rows(2)],
    "two rows that overlap": [(a, b + 1.0, lines) for a, b, lines in _rows(2)],
}


@pytest.mark.parametrize("srt", [False, True])
@pytest.mark.parametrize("name", ROLLING)
def test_rolling_captions_say_each_line_once(name: str, srt: bool, tmp_path: Path) -> None:
    assert read_subtitle(_write(tmp_path / "a.vtt", _file(ROLLING[name], srt).encode())) == SAID


def test_what_is_said_twice_in_rolling_captions_stays(tmp_path: Path) -> None:
    cues, before = [], " "
    for k, line in enumerate(("no no", "no no", "no no", "stop it")):
        cues += [(k, k + 0.99, [before, _spoken(line, True)]), (k + 0.99, k + 1, [line, " "])]
        before = line
    path = _write(tmp_path / "a.vtt", _file(cues, False).encode())
    assert read_subtitle(path) == "no no no no no no stop it"


@pytest.mark.parametrize("gap", [0.0, 0.5])
def test_speech_that_repeats_stays(gap: float, tmp_path: Path) -> None:
    said = [
        "No.",
        "No.",
        "la la la",
        "la la la",
        "la la la",
        "the end",
        "the end is near",
        "well",
        "so",
        "it is",
        "is it",
    ]
    cues = [(k, k + 1 - gap, [line]) for k, line in enumerate(said)]
    assert read_subtitle(_write(tmp_path / "a.srt", _file(cues, True).encode())) == " ".join(said)


def test_the_reported_captions(reference_data: Path) -> None:
    path = reference_data / "data" / "faults" / "rolling_vtt" / "talk.vtt"
    assert read_subtitle(path) == "first we chop the onion then fry it slowly and add salt"
