"""How a result was made: the date, the call, the commit."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from gramcli.evaluation.evaluate import evaluate
from gramcli.results.making import called, commit_of, making


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "init.defaultBranch=main"]
    return subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init")
    git(folder, "commit", "--allow-empty", "-m", "one")
    return folder


def test_the_commit_is_git_s_own(repository: Path, tmp_path: Path) -> None:
    inside = repository / "a" / "b"
    inside.mkdir(parents=True)
    head = git(repository, "rev-parse", "HEAD")
    assert commit_of(repository) == commit_of(inside) == head
    git(repository, "pack-refs", "--all")
    assert commit_of(inside) == head
    git(repository, "worktree", "add", str(tmp_path / "tree"), "-b", "other/branch")
    assert commit_of(tmp_path / "tree") == head
    git(repository, "checkout", "--detach")
    assert commit_of(repository) == head


def test_where_there_is_none_there_is_none(tmp_path: Path) -> None:
    for text in ("ref: ../../etc/passwd", "ref: refs/heads/gone", "nonsense", ""):
        (tmp_path / ".git").mkdir(exist_ok=True)
        (tmp_path / ".git" / "HEAD").write_text(text)
        assert commit_of(tmp_path) is None


def test_a_call_is_written_with_what_is_no_default() -> None:
    given = {"target": Path("emb"), "tasks": ("t2va",), "seed": 0, "limit": 5, "watch": object()}
    assert called(evaluate, given) == "gramcli.evaluate('emb', tasks=['t2va'], limit=5)"
    assert called(evaluate, {"target": object()}) == "gramcli.evaluate(<object>)"


def test_the_date_can_be_held(monkeypatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    assert making(evaluate, {})["date"] == "1970-01-02T00:00:00+00:00"
