"""A run killed at 50 random moments ends in the store of a run that nobody touched; each goes on where it was."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from gramcli.errors import UserError
from tests.embedding import chaos_run
from tests.embedding.forked import ROOT, start
from tests.media_factory import write_video, write_wav

KILLS = 50
ITEMS = 120


def _files(store: Path) -> dict[str, bytes]:
    return {
        path.relative_to(store).as_posix(): path.read_bytes()
        for path in sorted(store.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def _inodes(store: Path) -> dict[str, int]:
    return {path.name: path.stat().st_ino for path in store.glob("shards/?????.safetensors")}


def _shard_count(store: Path) -> int:
    return len(list(store.glob("shards/*.safetensors")))


def _wait_for_shards(process: BaseProcess, store: Path, more: int) -> None:
    """Wait until so many more shards are there, or the run has ended."""
    wanted = _shard_count(store) + more
    while process.is_alive() and _shard_count(store) < wanted:
        time.sleep(0.002)


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("chaos") / "media"
    folder.mkdir()
    for number in range(ITEMS):
        name = f"{number:03d}"
        if number % 3:
            write_wav(folder / f"{name}.wav", seconds=0.2, hz=200 + 7 * number)
        else:
            write_video(folder / f"{name}.mp4", n_frames=6, seed=number)
        (folder / f"{name}.txt").write_text(f"a caption of item {number}\n" * (1 + number % 2))
    (folder / "050.wav").write_bytes(b"RIFF broken")
    return folder


@pytest.mark.e2e
def test_killed_at_fifty_random_moments(media: Path, tmp_path: Path) -> None:
    chaos_run.run(media, tmp_path / "calm")
    chance, store = random.Random(20261124), tmp_path / "chaos"
    killed, among_shards, finished_early = 0, 0, 0
    while killed < KILLS:
        retry, finished = bool(chance.randint(0, 1)), _inodes(store)
        process = start(chaos_run.run, media, store, retry)
        if chance.random() < 0.2:  # some moments before or while the workers start
            time.sleep(chance.uniform(0.05, 0.5))
        else:  # most of them while shards are written, however fast the machine is
            _wait_for_shards(process, store, chance.randint(1, 3))
            time.sleep(chance.uniform(0, 0.03))
        with suppress(ProcessLookupError):  # it has ended
            os.kill(process.pid, chance.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGINT, signal.SIGTERM]))
        process.join()
        assert retry or finished.items() <= _inodes(store).items()  # what was finished is not written again
        if process.exitcode != 0:
            killed += 1
            among_shards += 0 < _shard_count(store) < ITEMS // 2
        else:  # it had ended before: begin again, so that there is something to kill
            finished_early += 1
            assert _files(store) == _files(tmp_path / "calm")
            store = tmp_path / f"chaos{finished_early}"
    assert among_shards >= KILLS // 2
    chaos_run.run(media, store)
    assert _files(store) == _files(tmp_path / "calm")


@pytest.mark.e2e
def test_ctrl_c_stops_soon_and_says_how_to_resume(media: Path, tmp_path: Path) -> None:
    code = "from gramcli.cli.main import main; main()"
    command = [sys.executable, "-c", code, "embed", str(media), "-o", "emb"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
    while not list(tmp_path.glob("emb/shards/*.safetensors")):
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate(timeout=30)
    assert process.returncode == 130
    assert complaint.strip().splitlines()[-1].endswith("run the same command again and it resumes.")


@pytest.mark.e2e
def test_a_second_run_on_one_store_is_refused_by_name(media: Path, tmp_path: Path) -> None:
    first = start(chaos_run.run, media, tmp_path / "s")
    while not (tmp_path / "s" / "manifest.json").exists():
        time.sleep(0.002)
    os.kill(first.pid, signal.SIGSTOP)  # or it may have ended before the second has begun
    try:
        with pytest.raises(UserError, match=rf"is being written by another gram process \(pid {first.pid} on "):
            chaos_run.run(media, tmp_path / "s")
    finally:
        os.kill(first.pid, signal.SIGCONT)
    first.join()
    assert first.exitcode == 0
