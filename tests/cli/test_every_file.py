"""Every file that was once handled wrongly, through every command: a sentence and a documented exit code."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from gramcli.errors import UserError

CODES = {0, 1, 2, 3, 4}
COMMANDS = {
    "inspect": lambda path: ["inspect", path],
    "embed": lambda path: ["embed", path, "-o", "store", "--workers", "0"],
    "eval": lambda path: ["eval", path],
    "eval a model": lambda path: ["eval", path, "--dataset", path],
    "align": lambda path: ["align", path, "-o", "heads", "--loss", "gram"],
    "compare": lambda path: ["compare", path, f"{path}@gram"],
    "join": lambda path: ["join", path, f"{path}:video=video_b", "-o", "joined"],
    "export": lambda path: ["export", path, "-o", "out.safetensors"],
    "export a run": lambda path: ["export", path, "-o", "out.trec", "--task", "t2v"],
    "matrix": lambda path: ["matrix", path, "--task", "t2v"],
    "plot": lambda path: ["plot", path],
    "plot a figure": lambda path: ["plot", path, "recall", "-o", "recall.svg"],
}


def files(reference_data: Path) -> list[Path]:
    folders = (reference_data / "data" / "faults", reference_data / "data" / "torture")
    found = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
    if not found:
        pytest.skip("no folder of faults or torture files in the reference data")
    return found


def check(result, what: str) -> None:
    """What a command did with a file: no traceback, a documented code, a sentence where it failed, no escapes."""
    assert result.exception is None or isinstance(result.exception, (SystemExit, UserError)), (what, result.exception)
    assert result.exit_code in CODES, (what, result.output)
    assert "Traceback" not in result.output, what
    assert "\x1b" not in result.output, what
    if result.exit_code in {1, 2, 4}:
        assert "rror: " in result.stderr or "Usage: " in result.stderr, (what, result.output)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_file_given_to_every_command(gram, reference_data, command):
    for path in files(reference_data):
        check(gram(*COMMANDS[command](path)), f"{command} {path.name}")


def test_every_file_as_an_item_is_embedded_or_named(gram, reference_data, tmp_path):
    found = files(reference_data)
    with (tmp_path / "all.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "video", "audio", "image"])
        for number, path in enumerate(found):
            kind = number % 3 if path.suffix in {".png", ".gif", ".HEIC"} else number % 2
            name = os.path.relpath(path, tmp_path)
            writer.writerow([f"{number:03d} {path.name}", *(name if column == kind else "" for column in range(3))])
    result = gram("embed", tmp_path / "all.csv", "-o", "store", "--workers", "2", "--timeout", "30s", "--frames", "2")
    check(result, "all of them")
    with Path("store/items.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(found)
    for row in rows:
        states = [row[name] for name in ("video", "audio", "image")]
        assert all(state.startswith(("ok", "absent", "failed: ")) for state in states), row
