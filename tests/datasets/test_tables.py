"""Tables and JSON as people have them: stray quotes, ragged rows, and a format other than the suffix says."""

import json
from pathlib import Path

import pytest

from gramcli.datasets import Dataset, open_dataset
from gramcli.datasets.records import read_records
from gramcli.errors import UserError


def _open(path: Path, content: str) -> Dataset:
    path.write_bytes(content.encode())
    return open_dataset(str(path))


def _captions(dataset: Dataset) -> dict[str, tuple[str, ...]]:
    return {item.id: item.captions for item in dataset.items}


def test_a_quote_swallows_no_rows_of_a_tab_separated_file(reference_data: Path) -> None:
    dataset = open_dataset(str(reference_data / "data/faults/tsv_swallowed_rows/m.tsv"))
    assert _captions(dataset) == {"a": ('"hello says a man',), "c": ("lost row",), "b": ('the end"',)}


HEAD = "id\tvideo\tcaption"


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        (['"one'], ['"one']),
        (['he said "hi" to her', 'the end"'], ['he said "hi" to her', 'the end"']),
        (['"all of it"', '"', '""'], ['"all of it"', '"', '""']),
        (['""twice""', "it's 5\" tall"], ['""twice""', "it's 5\" tall"]),
        (['"a writer of CSV said ""hi"""'], ['a writer of CSV said "hi"']),
        (['["one", "two"]'], [("one", "two")]),
        (["a, b; c | d"], ["a, b; c | d"]),
        (["  spaced  ", "x\t"], ["spaced", "x"]),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_every_line_of_a_tab_separated_file_is_a_row(rows, wanted, end, mark, tmp_path: Path) -> None:
    lines = [HEAD, *(f"{number}\ta.mp4\t{row}" for number, row in enumerate(rows))]
    dataset = _open(tmp_path / "m.tsv", mark + end.join(lines) + end)
    assert [item.captions for item in dataset.items] == [(one,) if isinstance(one, str) else one for one in wanted]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f'{HEAD}\na\ta.mp4\t"two\nlines"\n', "line 3 has 1 cells, the header 3; a tab-separated file has no quoting"),
        (f"{HEAD}\na\ta.mp4\n", "line 2 has 2 cells, the header 3"),
        (f"{HEAD}\n\na\ta.mp4\tone\ttwo\n", "line 3 has 4 cells, the header 3"),
        (f"{HEAD}\r\na\ta.mp4\tx\r\nb\ta.mp4\ty\tz", "line 3 has 4 cells, the header 3"),
    ],
)
def test_what_cannot_be_split_evenly_names_its_line(text: str, line: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"m\.tsv {line}"):
        _open(tmp_path / "m.tsv", text)


def test_a_quoted_header_says_that_a_file_is_quoted(tmp_path: Path) -> None:
    dataset = _open(tmp_path / "m.tsv", '"id"\t"video"\t"caption"\n"a"\t"a.mp4"\t"two\tparts"\n"b"\t"b.mp4"\t"x"\n')
    assert _captions(dataset) == {"a": ("two\tparts",), "b": ("x",)}


def test_annotations_of_benchmarks_are_read_by_the_same_rules(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text('video_id\tcaption\na\t"one\nb\ttwo"\n')
    assert [row.values["caption"] for row in read_records(tmp_path / "a.tsv").rows] == ['"one', 'two"']
    (tmp_path / "a.json").write_text('{"video_id": "a"}\n{"video_id": "b"}\n')
    records = read_records(tmp_path / "a.json")
    assert [row.values["video_id"] for row in records.rows] == ["a", "b"]
    assert records.notes[0].endswith("holds JSON lines, not a list, and was read so; name it .jsonl.")
    (tmp_path / "list.txt").write_bytes("\ufeffa b\u2028c\r\nd\r\n".encode())
    assert [row.values["id"] for row in read_records(tmp_path / "list.txt").rows] == ["a b\u2028c", "d"]


def test_rows_that_quotes_take_in_are_said_where_quotes_count(tmp_path: Path) -> None:
    rows = 'a,a.mp4,"hello says a man\nc,a.mp4,lost row\nb,a.mp4,the end"\nd,a.mp4,"two\nlines, one cell"\n'
    dataset = _open(tmp_path / "m.csv", f"id,video,caption\n{rows}")
    assert [item.id for item in dataset.items] == ["a", "d"]
    (note,) = [note for note in dataset.notes if "quoted cell" in note]
    assert note.endswith(
        "m.csv line 2: a quoted cell goes on to line 4, over what looks like rows of its own; check its quotes."
    )


def test_short_rows_of_a_csv_are_said_once(tmp_path: Path) -> None:
    text = "id,video,caption\na,a.mp4\nb,b.mp4,x\nc,c.mp4\nd,d.mp4\n"
    (note,) = _open(tmp_path / "m.csv", text).notes
    assert note.endswith("m.csv line 2, and 2 more rows have fewer cells than the header: the last columns are empty.")


def test_hints_on_the_reference_files(reference_data: Path, tmp_path: Path) -> None:
    folder = reference_data / "data/faults/table_hints"
    with pytest.raises(UserError, match=r"semi\.csv .*; separate its columns by commas, not semicolons\.$"):
        open_dataset(str(folder / "semi.csv"))
    with pytest.raises(UserError, match=r"tabs\.csv .*; separate its columns by commas, not tabs, or name it \.tsv\.$"):
        open_dataset(str(folder / "tabs.csv"))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("m.csv", "id;video\na;a.mp4\n", "separate its columns by commas, not semicolons"),
        ("m.csv", "id;video;caption, or text\na;a.mp4;one\n", "separate its columns by commas, not semicolons"),
        ("m.csv", "id|video\na|a.mp4\n", r"separate its columns by commas, not bars \(\|\)"),
        ("m.tsv", "id,video\na,a.mp4\n", r"separate its columns by tabs, not commas, or name it \.csv"),
        ("m.tsv", "id;video\na;a.mp4\n", "separate its columns by tabs, not semicolons"),
        ("m.json", "id,video\na,a.mp4\n", r"holds a table, its columns separated by commas, not JSON; name it \.csv"),
        ("m.json", "id\tvideo\na\ta.mp4\n", r"separated by tabs, not JSON; name it \.tsv"),
        ("m.jsonl", "id,video\na,a.mp4\n", r"separated by commas, not JSON; name it \.csv"),
        ("m.csv", '[{"id": 1, "video": "a.mp4"}]', r"holds JSON, not a table; name it \.json\."),
        ("m.csv", '{"id": 1, "video": "a.mp4"}\n{"id": 2}\n', r"holds JSON, not a table; name it \.jsonl\."),
        ("m.tsv", '\ufeff[\n {"id": 1}]', r"holds JSON, not a table; name it \.json\."),
        ("m.csv", "\n<!DOCTYPE html><html></html>", "is a web page, as a failed download leaves it"),
        ("m.json", "<html><body>404</body></html>", "is a web page, as a failed download leaves it"),
        ("m.json", '{"id": 1}\n{"id": 2,}\n', r"is not valid JSON at line 2"),
        ("m.json", '[{"id": 1, "video": "a.mp4", "video": "b.mp4"}]', "an object that names 'video' twice"),
        ("m.jsonl", '{"id": 1, "video": "a.mp4", "id": 2}', "an object that names 'id' twice"),
        ("m.csv", "\ufeffid,video,video\n", "names the column 'video' twice"),
    ],
)
def test_a_format_that_can_be_guessed_is_named(name: str, text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message) as caught:
        _open(tmp_path / name, text)
    assert caught.value.kind == "input"


ROWS = [{"id": "a", "video": "a.mp4", "caption": "one"}, {"id": "b", "video": "b.mp4", "caption": "{two} }\n{"}]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("m.json", "\n".join(map(json.dumps, ROWS)), "holds JSON lines, not a list, and was read so; name it .jsonl."),
        ("m.json", "\n\n".join(json.dumps(row, indent=1) for row in ROWS), "holds JSON lines, not a list"),
        ("m.jsonl", json.dumps(ROWS), "holds one JSON document, not lines, and was read so; name it .json."),
        ("m.jsonl", json.dumps({"items": ROWS}, indent=2), "holds one JSON document, not lines"),
        ("m.jsonl", "\r\n".join(map(json.dumps, ROWS)), None),
        ("m.jsonl", "\n".join(json.dumps(row, indent=1) for row in ROWS), None),
    ],
)
def test_json_of_another_shape_is_read_and_said(name: str, text: str, said: str | None, tmp_path: Path) -> None:
    dataset = _open(tmp_path / name, text)
    assert _captions(dataset) == {"a": ("one",), "b": ("{two} }\n{",)}
    assert [said in note for note in dataset.notes] == ([True] if said else [])


@pytest.mark.parametrize("first", ["sep=,", '"sep=,"', "sep=,,,", "SEP=;", "sep=|", "sep=\\t", "sep=\t"])
@pytest.mark.parametrize("name", ["m.csv", "m.tsv"])
def test_a_line_that_names_the_delimiter_is_believed(first: str, name: str, tmp_path: Path) -> None:
    mark = {";": ";", "|": "|", "\t": "\t", "t": "\t"}.get(first[-1], ",")
    text = f"{first}\r\n" + "\r\n".join(mark.join(row) for row in (["id", "video"], ["a", "a.mp4"])) + "\r\n"
    (item,) = _open(tmp_path / name, text).items
    assert (item.id, item.media["video"].name) == ("a", "a.mp4")


def test_lines_are_counted_from_the_first(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"m\.csv line 3 has 3 cells, the header 2"):
        _open(tmp_path / "m.csv", "sep=,\nid,video\na,a.mp4,x\n")


def test_annotations_of_benchmarks_are_hinted_at_too(tmp_path: Path) -> None:
    for name, text, message in (
        ("a.csv", "video_id;sentence\na;b\n", "separate its columns by commas, not semicolons"),
        ("vggsound.csv", "a;1;dog;test\n", "separate its columns by commas, not semicolons"),
    ):
        (tmp_path / name).write_text(text)
        header = ("youtube_id", "start_s", "label", "split") if name == "vggsound.csv" else ()
        with pytest.raises(UserError, match=message):
            read_records(tmp_path / name, header)
