"""What goes wrong is one sentence, the right exit code and, with JSON, one document."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys

import pytest
import typer

from gramcli.cli.command import command
from gramcli.cli.errors import report_errors
from gramcli.cli.session import Session
from gramcli.errors import UserError
from gramcli.report import Format


@pytest.mark.parametrize(
    ("error", "code", "kind"),
    [
        (UserError("usage", "Do it so."), 2, "usage"),
        (UserError("store", "No store."), 1, "store"),
        (UserError("checkpoint", "Other weights."), 4, "checkpoint"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (PermissionError(13, "Permission denied", "a.json"), 1, "failed"),
    ],
)
def test_errors_become_a_sentence_a_code_and_a_document(capsys, error, code, kind):
    with pytest.raises(typer.Exit, match=r"^[0-9]+$") as caught, report_errors(Session(Format.json)):
        raise error
    assert caught.value.exit_code == code
    printed = capsys.readouterr()
    assert json.loads(printed.out)["error"]["kind"] == kind
    assert printed.err.startswith("gram: error: ")
    assert printed.err.count("\n") == 1


def test_without_json_stdout_stays_empty(capsys):
    with pytest.raises(typer.Exit, match=r"^[0-9]+$"), report_errors(Session(quiet=True)):
        raise UserError("input", "No file.")
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "gram: error: No file.\n"


def test_debug_shows_the_traceback(capsys):
    with pytest.raises(typer.Exit, match=r"^[0-9]+$"), report_errors(Session(debug=True)):
        raise UserError("input", "No file.")
    assert "Traceback" in capsys.readouterr().err


def test_bugs_keep_their_traceback_and_still_leave_a_document(capsys):
    with pytest.raises(ZeroDivisionError, match="by zero"), report_errors(Session(Format.json)):
        raise ZeroDivisionError("by zero")
    assert json.loads(capsys.readouterr().out)["error"] == {"kind": "failed", "message": "ZeroDivisionError: by zero"}


def test_exit_codes_pass_through():
    with pytest.raises(typer.Exit, match=r"^[0-9]+$") as caught, report_errors(Session()):
        Session().finish(3)
    assert caught.value.exit_code == 3


def test_an_interruption_says_what_it_leaves(capsys):
    def body(session):
        raise KeyboardInterrupt

    with pytest.raises(typer.Exit, match=r"^[0-9]+$"):
        command(body, on_interrupt="It resumes.")(output_format=None, quiet=False, verbose=False, debug=False)
    assert "Interrupted. It resumes." in capsys.readouterr().err


def test_a_closed_pipe_is_silent():
    code = "import sys; from gramcli.cli.main import main; sys.argv = ['gram', 'methods', '--format', 'csv']; main()"
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([sys.executable, "-c", code], stdout=writer, stderr=subprocess.PIPE, timeout=60, check=False)
    os.close(writer)
    assert done.stderr == b""
    assert done.returncode == 141


def test_progress_and_messages_are_for_terminals(capsys):
    for session in (Session(quiet=True), Session()):
        with session.watch() as watch:
            watch.stage("Working")(1, 2)
    Session(quiet=True).say("hidden")
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar_with_a_rate(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    with Session().watch() as watch:
        watch.stage("Working")(3, 4)
    assert "Working" in sys.stderr.getvalue()
    assert "3/4" in sys.stderr.getvalue()


def test_verbose_logs_what_was_asked_and_how_long_it_took(capsys):
    def body(session, *, limit: int):
        session.say("done")

    command(body)(limit=3, output_format=None, quiet=False, verbose=True, debug=False)
    error = capsys.readouterr().err
    assert "limit=3" in error
    assert "took" in error


def test_long_sentences_break_at_words_on_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("NO_COLOR", "1")
    Session().complain("What is wrong with a/very/long/path/that-has-hyphens-and-is-never-broken.csv, and what to do.")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) > 2
    assert "a/very/long/path/that-has-hyphens-and-is-never-broken.csv," in lines
    assert all(len(line) <= 40 or " " not in line for line in lines)


@pytest.mark.parametrize(
    "words", [("compare", "a.json", ""), ("eval", ""), ("score", " "), ("plot", ""), ("report", "")]
)
def test_an_operand_without_a_letter_is_called_empty(gram, words):
    done = gram(*words)
    assert done.exit_code == 2
    assert "it is empty. Is a variable of the shell not set?" in done.output
