"""No name of a file, a column, a split, a model, a tensor or a lock's note steers the terminal, in any message."""

from __future__ import annotations

import csv
import io
import json
import sys
import unicodedata

import pytest
from safetensors.numpy import save_file

from gramcli.cli.session import Session
from gramcli.cli.streams import tell, tell_block
from gramcli.results.documents import dump_json
from tests.cli.conftest import make_store

EVIL = "a\x1b]0;owned\x07\x1b[31m\u202eb\u200bc\u2028d\x9b1m"


def clean(text):
    """Only our own line breaks, and nothing unseen."""
    hidden = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}
    assert not {letter for letter in text if unicodedata.category(letter) in hidden and letter != "\n"}


def kept(result):
    clean(result.stdout)
    clean(result.stderr)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.mark.parametrize(
    "words",
    [
        ("inspect", EVIL),
        ("eval", EVIL),
        ("compare", EVIL, EVIL),
        ("embed", EVIL, "-o", "out"),
        ("embed", "a.csv", "-o", EVIL, "--text-only", "--dry-run"),
        ("align", EVIL, "--loss", EVIL, "-o", EVIL),
        ("matrix", EVIL, "--task", EVIL, "--method", EVIL),
        ("export", EVIL, "-o", EVIL),
        ("export", EVIL, "-o", "a.npz", "--to", EVIL),
        ("join", EVIL, f"{EVIL}:{EVIL}={EVIL}", "-o", EVIL),
        ("datasets", EVIL),
        ("metrics", EVIL),
        ("methods", "--settings", EVIL),
        (EVIL,),
        (f"--{EVIL}",),
        ("eval", "x", f"--{EVIL}"),
        ("eval", "x", "--ties", EVIL),
        ("eval", "x", "--limit", EVIL),
        ("demo", "--print-config", "-o", EVIL),
        ("methods", "-v", "--settings", EVIL),
    ],
    ids=lambda words: words[0].replace(EVIL, "EVIL"),
)
@pytest.mark.parametrize("more", [(), ("--format", "json")], ids=["table", "json"])
def test_operands_and_options(gram, tmp_path, words, more):
    (tmp_path / "a.csv").write_text("id,text\na,b\n")
    kept(gram(*words, *more))


def test_what_print_config_prints_is_read_back(gram, tmp_path):
    shown = kept(gram("demo", "--print-config", "-o", f"{EVIL}\U000e0041")).stdout
    import tomllib

    assert tomllib.loads(shown)["demo"]["output"] == f"{EVIL}\U000e0041"


@pytest.mark.parametrize(
    "option", ["--split", "--task", "--method", "--query", "--normalize", "--expect", "--templates"]
)
def test_words_about_a_store(gram, store, option):
    assert kept(gram("eval", store, option, EVIL)).exit_code in {1, 2}


def test_names_within_a_store(gram, tmp_path):
    path = make_store(tmp_path / "emb", splits=["train"] * 20 + [f"a{chr(0x202E)}b"] * 4)
    said = kept(gram("eval", path))
    assert r"\u202e" in said.stderr
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["model"]["id"] = EVIL
    (path / "manifest.json").write_text(json.dumps(manifest))
    kept(gram("inspect", path))
    kept(gram("eval", path, "--split", "train", "--report", "r.html"))


@pytest.mark.parametrize("name", ["items.csv", "items.jsonl"])
def test_columns_and_ids_of_a_manifest(gram, tmp_path, name):
    path = tmp_path / name
    if name.endswith("csv"):
        text = io.StringIO()
        csv.writer(text).writerows([["id", "text", EVIL], [EVIL, EVIL, EVIL]])
        path.write_text(text.getvalue(), encoding="utf-8")
    else:
        path.write_text(json.dumps({"id": EVIL, "text": EVIL, EVIL: 1}) + "\n")
    kept(gram("inspect", path))
    kept(gram("embed", path, "--text-only", "-o", "out"))


def test_files_of_odd_names(gram, tmp_path):
    folder = tmp_path / "clips"
    folder.mkdir()
    (folder / f"{EVIL.replace('/', '')}.mp4").write_bytes(b"\x1b[31m not a video")
    for output_format in ("table", "csv", "json", "markdown", "latex"):
        kept(gram("embed", folder, "-o", f"out {output_format}", "--format", output_format, "--workers", 0))


def test_tensors_of_a_checkpoint(gram, tmp_path):
    import numpy as np

    save_file({EVIL: np.zeros(2, np.float32)}, tmp_path / "a.safetensors", {EVIL: EVIL})
    kept(gram("inspect", "a.safetensors"))
    kept(gram("export", "a.safetensors", "-o", "b.safetensors"))


def test_the_note_of_a_lock(gram, tmp_path):
    fcntl = pytest.importorskip("fcntl")
    (tmp_path / "a.csv").write_text("id,text\na,b\n")
    assert gram("embed", "a.csv", "--text-only", "-o", "out").exit_code == 0
    with (tmp_path / "out" / ".lock").open("w") as file:
        file.write(EVIL)
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert kept(gram("embed", "a.csv", "--text-only", "-o", "out", "--overwrite")).exit_code == 1


def test_progress_and_sentences(capsys):
    with Session().watch() as watch:
        watch.say(EVIL)
    Session().complain(EVIL)
    tell(EVIL)
    tell_block(f"one\n{EVIL}\n")
    clean(capsys.readouterr().err)


LONG = "x" * 200_000


@pytest.mark.parametrize(
    "words",
    [
        ("eval", "emb", "--task", LONG),
        ("eval", "emb", "--split", "test " * 50_000),
        ("eval", "emb", "--method", LONG),
        ("eval", "emb", f"--{LONG}"),
        (LONG,),
        ("embed", "long.csv", "--text-only", "-o", "out"),
        ("embed", "twice.csv", "--text-only", "-o", "out"),
        ("inspect", "long.json"),
        ("eval", "emb", "--device", f"cuda:{'9' * 200_000}"),
        ("eval", "emb", "--device", "cuda:99999999999999999999"),
    ],
    ids=lambda words: " ".join(words)[:30],
)
def test_no_sentence_is_longer_than_can_be_read(gram, tmp_path, words):
    make_store(tmp_path / "emb")
    (tmp_path / "long.csv").write_text(f"id,caption,video\n{LONG},a,b\n{LONG},b,c\n")
    (tmp_path / "twice.csv").write_text(f"id,caption,{LONG},{LONG}\na,a,b,c\n")
    (tmp_path / "long.json").write_text(json.dumps({LONG: [{LONG: 1}]}))
    result = gram(*words)
    assert result.exit_code in (1, 2), result.output[:500]
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert len(result.stderr) < 3000
    assert result.stderr.rstrip().endswith((".", "?"))


def test_a_document_keeps_the_whole_sentence(gram, tmp_path):
    make_store(tmp_path / "emb")
    message = gram.json("eval", "emb", "--split", LONG, code=2)["error"]["message"]
    assert LONG in message


def test_a_bar_reads_no_markup_and_obeys_no_escape(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "150")
    with Session().watch() as watch:
        watch.stage("[red]x[/red]\x1b]0;y\x07")(3, 4, "\x1b]0;z\x07")
    found = sys.stderr.getvalue()
    assert "[red]x[/red]" in found
    assert "\x1b]0;" not in found
    assert "\x07" not in found


def test_json_is_ascii_whatever_is_in_it():
    text = dump_json({EVIL + "\x7f": EVIL + "\x7f\ud800"})
    assert text.isascii()
    clean(text)
    assert json.loads(text) == {EVIL + "\x7f": EVIL + "\x7f\ud800"}


def test_a_bug_s_traceback_shows_what_it_quotes(monkeypatch, capsys):
    from gramcli.cli import main

    def fail(**_):
        raise ValueError(EVIL)

    monkeypatch.setattr(main, "app", fail)
    monkeypatch.setattr(sys, "argv", ["gram"])
    with pytest.raises(SystemExit, match="1"):
        main.main()
    error = capsys.readouterr().err
    assert "Traceback" in error
    clean(error)
