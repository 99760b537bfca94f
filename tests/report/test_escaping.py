"""Whatever a name holds, it leaves as text: no control byte, no letter unseen, as many cells as the table has."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
import unicodedata
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown import markdown as rendered
from markdown_it import MarkdownIt
from rich.console import Console

from gramcli.report import Format, reading
from gramcli.report.answer import Answer, Table
from gramcli.report.escaping import csv_cell, html, markdown, paragraphs, terminal
from gramcli.report.formats import render
from gramcli.report.matrices import matrix_answer, write_matrix
from gramcli.report.page import answer_page, page
from gramcli.report.per_query import per_query_csv
from gramcli.report.tables import evaluation_answer
from gramcli.report.terminal import print_answer
from gramcli.results.matrices import AlignmentMatrix
from gramcli.results.records import LeftOut, RankVector
from tests.made_results import evaluation

HOSTILE = "\x00\x07\x08\x0b\x1b\x7f\x85\x9b\xad\u061c\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u202a\u202e\u2060\u2066"
HOSTILE += "\u2069\ufeff\ufff9\U000e0001\U000e0041\U000e0100\ue000\ud800\udcff\u115f\u3164"
READABLE = [
    *("cafe\u0301.mp4", "naïve", "漢字かな", "한국어", "العربية", "עברית", "ไทย", "हिन्दी", "a\u3000b"),
    *("\U0001f600", "\u2764\ufe0f", "1\ufe0f\u20e3"),  # pictures, one with its selector, a key
]
JOINED = [
    *("می\u200cخواهم", "क्\u200dष", "க்\u200cஷ"),  # spelling: Persian, Hindi, Tamil
    *(
        "\U0001f469\u200d\U0001f52c",
        "\U0001f469\U0001f3fd\u200d\U0001f52c",
        "\u2764\ufe0f\u200d\U0001f525",
    ),  # joined pictures
]
TEXT = st.one_of(
    st.text(st.characters(), max_size=20),
    st.text(st.sampled_from(HOSTILE + "ab|\\`*_[]()<>&#$~!{}^%=+-@\t\r\n'\":/. "), max_size=20),
    st.sampled_from(["a|b", "a\\|b", "<script>alert(1)</script>", "[x](javascript:y)", "![x](http://y)", "`a|b`"]),
    st.sampled_from(["**a**", "__a__", "_a_", "~~a~~", "http://a.bc", "www.a.bc", "a@b.cd", "<http://a.bc>", "&lt;"]),
)
many = settings(max_examples=150, deadline=None)


def unseen(text: str) -> set[str]:
    """What must not be in a text that leaves, our line breaks apart."""
    hidden = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}
    return {letter for letter in text if unicodedata.category(letter) in hidden and letter != "\n"}


def table_of(name: str) -> Answer:
    """One table and its rows, a name everywhere."""
    columns = ("id", "n")
    table = Table((name, "n"), ((name, "1"), ("plain", name)), frozenset({name}), name)
    return Answer((table,), columns, ({"id": name, "n": 1}, {"id": "plain", "n": name}), {"id": name}, (name,))


@pytest.mark.parametrize("text", JOINED)
def test_joiners_that_are_spelling_stay(text):
    assert terminal(text) == html(text) == markdown(text) == csv_cell(text) == text


@pytest.mark.parametrize("text", ["a\u200db", "\u200cم", "م\u200c", "م\u200c\u200cم", "a\u200dم", "\U0001f600\u200da"])
def test_joiners_between_other_letters_are_shown(text):
    assert "\u200c" not in terminal(text)
    assert "\u200d" not in terminal(text)


class Outline(HTMLParser):
    """Tags, and the text of each cell."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.cells: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag in {"td", "th"}:
            self.cells.append("")

    def handle_data(self, data):
        if self.cells:
            self.cells[-1] += data


@pytest.mark.parametrize("letter", [*HOSTILE, "\n", "\t", "\r"])
def test_what_steers_or_is_not_seen_is_written_out(letter):
    found = terminal(f"a{letter}b")
    assert found == ("a b" if letter in "\n\t\r" else f"a{letter.encode('unicode_escape').decode()}b")


@pytest.mark.parametrize("name", READABLE)
def test_names_of_all_scripts_stay_readable(name):
    assert terminal(name) == html(name) == csv_cell(name) == markdown(name) == name


def test_a_selector_is_written_out_where_it_says_nothing():
    assert terminal("a\ufe0f") == r"a\ufe0f"
    assert terminal("😀\ufe0f\ufe0e") == "😀\ufe0f\\ufe0e"


def test_our_own_line_breaks_stay_in_paragraphs():
    assert paragraphs("Usage: gram\n\nError: \x1b]0;x\x07\r\n") == "Usage: gram\n\nError: \\x1b]0;x\\x07\\r\n"


@given(TEXT)
@many
def test_nothing_is_escaped_twice(name):
    assert terminal(terminal(name)) == terminal(name)
    assert paragraphs(terminal(name)) == terminal(name)


@given(TEXT)
@many
@pytest.mark.parametrize("output_format", list(Format))
def test_no_format_lets_a_hidden_letter_out(output_format, name):
    assert not unseen(render(table_of(name), output_format))


@given(TEXT)
@many
def test_rich_tables_hold_only_their_own_escapes(name):
    out = io.StringIO()
    print_answer(Console(file=out, width=60, force_terminal=False), table_of(name))
    assert not unseen(out.getvalue())


def test_rich_reads_no_markup_from_names():
    out = io.StringIO()
    print_answer(Console(file=out, width=200, force_terminal=True, color_system="truecolor"), table_of("[red]x[/red]"))
    assert out.getvalue().count("[red]x[/red]") == 5
    assert "\x1b[31m" not in out.getvalue()


@given(TEXT)
@example("a\\")
@many
def test_csv_keeps_its_cells_and_starts_no_formula(name):
    rows = list(csv.reader(io.StringIO(render(table_of(name), Format.csv))))
    assert [len(row) for row in rows] == [2, 2, 2]
    for cell in (rows[1][0], rows[2][1]):
        number = re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", cell)
        assert number or cell.lstrip()[:1] not in {*"=+-@＝＋－＠"} or not cell
        assert cell[:1] not in {"\t", "\r"}


@pytest.mark.parametrize("cell", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1"])
def test_formulas_get_an_apostrophe(cell):
    assert csv_cell(cell) == f"'{terminal(cell)}"


@pytest.mark.parametrize("cell", ["-", "+"])
def test_a_sign_alone_is_no_number(cell):
    assert csv_cell(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["-0.5", "+5", "-1e-3", -0.5, 1e-9, 3, None, True, ""])
def test_numbers_stay_numbers(cell):
    assert csv_cell(cell) == cell


@given(TEXT)
@many
def test_json_is_exact(name):
    text = render(table_of(name), Format.json)
    assert text.isascii()
    # Two halves of one letter are that letter in JSON, as they are in UTF-16.
    assert json.loads(text)["id"] == name.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


@given(TEXT)
@example("a\\")
@example("\\|")
@example("`")
@example("![a](b)")
@many
def test_markdown_renders_to_a_table_and_nothing_else(name):
    source = render(table_of(name), Format.markdown)
    shown = [" ".join(terminal(cell).split()) for cell in (name, "n", name, "1", "plain", name)]
    for made in (rendered(source, extensions=["tables"]), MarkdownIt("commonmark").enable("table").render(source)):
        found = Outline(made)
        assert set(found.tags) <= {"table", "thead", "tbody", "tr", "th", "td"}
        assert [" ".join(cell.split()) for cell in found.cells] == shown


@given(TEXT)
@settings(max_examples=40, deadline=None)
def test_pages_hold_no_tag_of_a_name(name):
    plain = Outline(answer_page(table_of("x"), "title", {"key": "x"}))
    found = Outline(answer_page(table_of(name), name, {name: name, "list": [name]}))
    assert set(found.tags) <= set(plain.tags)
    assert not unseen(answer_page(table_of(name), name, {name: name}))


def test_an_evaluation_s_page_and_pictures_write_hidden_letters_out():
    name = "a\u202eb<script>\x1b]0;x\x07\udcff"
    rows = tuple(replace(row, task=name) for row in evaluation(20).results)
    ranks = tuple(replace(one, task=name) for one in evaluation(20).ranks)
    left_out = (LeftOut(name, name, name),)
    odd = replace(evaluation(20), results=rows, ranks=ranks, left_out=left_out, notes=(name,), provenance={name: name})
    made = page(odd, title=name, remarks=(name,))
    assert not unseen(made)
    assert made.count("<script") == page(evaluation(20)).count("<script") == 2
    assert made.count("<svg") >= 2
    assert not unseen(reading.html(odd))
    assert "<script" not in reading.html(odd)


@given(TEXT)
@example(" +- ")
@example("\n[")
@many
def test_latex_holds_no_command_of_a_name(name):
    lines = render(table_of(name), Format.latex).splitlines()
    rows = [line for line in lines if line.endswith(r"\\")]
    assert [len(re.findall(r"(?<!\\)&", row)) for row in rows] == [1, 1, 1]
    ours = r"\\(?:textbackslash\{\}|textbar\{\}|textasciitilde\{\}|ensuremath\{[<>]\}|\^\{\}|[&%$#_{}])|\\\\$"
    for row in rows:
        assert not re.search(r"[\\%$#_~^]", re.sub(ours, "", row))
        assert row.lstrip()[:1] not in {"[", "*"}


@pytest.mark.skipif(shutil.which("xelatex") is None, reason="no TeX here")
def test_latex_compiles(tmp_path):
    specials = render(table_of("[1] & % $ # _ { } ~ ^ \\ < >*"), Format.latex)
    head = "\\documentclass{article}\\usepackage{booktabs}\\begin{document}\n"
    (tmp_path / "a.tex").write_text(head + specials + "\\end{document}\n")
    done = subprocess.run(
        ["xelatex", "-halt-on-error", "a.tex"], cwd=tmp_path, capture_output=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout


@given(TEXT)
@settings(max_examples=60, deadline=None)
def test_every_query_s_csv_keeps_its_columns(name):
    ranks = (RankVector(name, name, (name, name), (1.0, 2.0), 5, best=((name,) * 5, (name,))),)
    text = per_query_csv(replace(evaluation(3), ranks=ranks))
    rows = list(csv.reader(io.StringIO(text)))
    assert {len(row) for row in rows} == {11}
    assert not unseen(text)


def test_a_matrix_s_csv_and_table_hold_no_formula_and_no_escape(tmp_path):
    ids = ("=1+1", "a\x1b[31m\u202e")
    found = AlignmentMatrix(np.zeros((2, 2), np.float32), ids, ids, (), (), "t2v", "gram")
    write_matrix(found, tmp_path / "m.csv")
    text = (tmp_path / "m.csv").read_text()
    assert [row[0] for row in csv.reader(io.StringIO(text))] == ["query", "'=1+1", r"a\x1b[31m\u202e"]
    assert not unseen(text)
    for output_format in Format:
        assert not unseen(render(matrix_answer(found), output_format))


def test_an_odd_evaluation_is_the_same_in_all_formats_but_json():
    odd = replace(evaluation(3), notes=("\x1b[31m",), left_out=(LeftOut("\u202e", "audio", "a\nb"),))
    for output_format in (Format.table, Format.markdown, Format.latex, Format.csv):
        assert not unseen(render(evaluation_answer(odd), output_format))
