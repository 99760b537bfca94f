"""A store survives being killed, refuses other plans and other people's directories, and has one writer."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from gramcli.errors import UserError
from gramcli.store import ShardContent, StoreWriter, open_store
from tests.store.examples import content_of, hashes, make_plan, write

# Forks a run for every file-system call it makes and kills it right there, then resumes; numpy only, no threads.
CRASHES = """
import os, signal, sys
from pathlib import Path
from tests.store.examples import hashes, make_plan, write

whole, folder, overwrite = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] == "overwrite"
calls = ["fsync", "replace", "rename", "mkdir", "unlink"]
at, killed = 0, True
while killed:
    at += 1
    store = folder / str(at)
    if overwrite:
        write(store, make_plan(4, shard_size=2))
    child = os.fork()
    if child == 0:
        count = 0
        def dying(call):
            def wrapped(*args, **options):
                global count
                count += 1
                if count == at:
                    os.kill(os.getpid(), signal.SIGKILL)
                return call(*args, **options)
            return wrapped
        for name in calls:
            setattr(os, name, dying(getattr(os, name)))
        write(store, overwrite=overwrite)
        os._exit(0)
    killed = os.waitpid(child, 0)[1] != 0
    before = {path.name: path.stat().st_ino for path in store.glob("shards/?????.safetensors")}
    write(store, overwrite=overwrite)
    after = {path.name: path.stat().st_ino for path in store.glob("shards/?????.safetensors")}
    assert hashes(store) == hashes(whole), (at, hashes(store))
    assert overwrite or before.items() <= after.items(), at
print(at)
"""


@pytest.mark.parametrize("mode", ["new", "overwrite"])
def test_killed_at_every_system_call(mode: str, tmp_path: Path) -> None:
    whole = write(tmp_path / "whole")
    command = [sys.executable, "-c", CRASHES, str(whole), str(tmp_path), mode]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 15


def test_resumes_with_the_shards_that_are_missing(tmp_path: Path) -> None:
    plan, store = make_plan(), tmp_path / "s"
    with StoreWriter.open(store, plan) as writer:
        writer.write_shard(1, content_of(plan, 1))
    (store / "shards" / ".00002.safetensors.tmp").write_bytes(b"half a shard")
    (store / "shards" / ".mine.tmp").write_bytes(b"not gram's")
    with StoreWriter.open(store, plan) as writer:
        assert writer.missing_shards() == [0, 2]
        assert writer.reused == 1
        assert not (store / "shards" / ".00002.safetensors.tmp").exists()
        assert (store / "shards" / ".mine.tmp").exists()
    with pytest.raises(UserError, match=r"is not finished\. Run the command that began it again"):
        open_store(store)


def test_finished_shards_are_never_rewritten(tmp_path: Path) -> None:
    plan = make_plan()
    store = write(tmp_path / "s", plan)
    before = {path: path.stat().st_mtime_ns for path in store.rglob("*") if path.is_file() and path.name != ".lock"}
    write(store, plan)
    assert before == {
        path: path.stat().st_mtime_ns for path in store.rglob("*") if path.is_file() and path.name != ".lock"
    }
    with StoreWriter.open(store, plan) as writer, pytest.raises(ValueError, match="shard 0 is finished"):
        writer.write_shard(0, content_of(plan, 0))


def test_unfinished_stores_do_not_finish(tmp_path: Path) -> None:
    with (
        StoreWriter.open(tmp_path / "s", make_plan()) as writer,
        pytest.raises(ValueError, match=r"shards are missing: \[0, 1, 2\]"),
    ):
        writer.finish()


@pytest.mark.parametrize("lost", ["shards/00001.safetensors", "items.csv"])
def test_what_a_finished_store_lost_is_made_again(lost: str, tmp_path: Path) -> None:
    store = write(tmp_path / "s")
    before = hashes(store)
    (store / lost).unlink()
    assert hashes(write(store)) == before
    open_store(store)


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    with StoreWriter.open(tmp_path / "s", make_plan()):
        for overwrite in (False, True):
            with pytest.raises(UserError, match="s is being written by another gram process"):
                StoreWriter.open(tmp_path / "s", make_plan(), overwrite=overwrite)
    write(tmp_path / "s")


def test_file_systems_without_locks_are_used_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOTSUP, "not supported")

    monkeypatch.setattr("fcntl.flock", no_locks)
    write(tmp_path / "s")


def test_other_plan_needs_overwrite(tmp_path: Path) -> None:
    store = write(tmp_path / "s")
    other = make_plan(4, shard_size=2)
    with pytest.raises(UserError, match=r"shard_size was 3, now 2; the ids changed.*overwrite=True"):
        write(store, other)
    (store / "notes.txt").write_text("mine")
    (store / "shards" / "mine.safetensors").write_text("mine")
    write(store, other, overwrite=True)
    assert open_store(store).ids == tuple(f"item {i}" for i in range(4))
    assert len(list((store / "shards").glob("0*"))) == 2
    assert (store / "notes.txt").read_text() == (store / "shards" / "mine.safetensors").read_text() == "mine"


@pytest.mark.parametrize("overwrite", [False, True])
def test_directories_of_others_are_left_alone(overwrite: bool, tmp_path: Path) -> None:
    file, folder, web = tmp_path / "file", tmp_path / "folder", tmp_path / "web"
    file.write_text("mine")
    folder.mkdir()
    (folder / "photo.jpg").write_text("mine")
    web.mkdir()
    (web / "manifest.json").write_text('{"name": "web app", "format": 1}')
    before = sorted(tmp_path.rglob("*"))
    for path, message in (
        (file, "is a file, not a store"),
        (folder, "holds other files"),
        (web, "is not the manifest"),
    ):
        with pytest.raises(UserError, match=message):
            StoreWriter.open(path, make_plan(), overwrite=overwrite)
    with pytest.raises(UserError, match="file/s could not be written: Not a directory"):
        StoreWriter.open(file / "s", make_plan(), overwrite=overwrite)
    assert sorted(tmp_path.rglob("*")) == before


def test_an_empty_directory_is_used(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    write(tmp_path / "s")


@pytest.mark.parametrize("call", ["fsync", "replace", "mkdir"])
def test_full_disk(call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        with pytest.raises(UserError, match=r"could not be written: No space left on device\. Make room"):
            write(tmp_path / "s")
    assert not list(tmp_path.rglob("*.tmp"))
    write(tmp_path / "s")


def _content(**changes: object) -> ShardContent:
    return ShardContent(**{**vars(content_of(make_plan(), 0)), **changes})  # type: ignore[arg-type]


def _embeddings(name: str, rows: object) -> dict[str, object]:
    return {"embeddings": {**content_of(make_plan(), 0).embeddings, name: np.asarray(rows, dtype=np.float32)}}


VIDEO = {"video": ["ok"] * 3}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (_embeddings("video", [[0, 1, 2], [0, np.nan, 0], [1, 1, 1]]), "'video' vector of item 'item 1' is not finite"),
        (_embeddings("text", [[0, 1, 2, 3], [0, np.inf, 0, 0], [1, 1, 1, 1]]), "'text' vector of item 'item 2'"),
        (_embeddings("video", np.zeros((3, 4))), r"'video' must have shape \[3, 3\]; got \[3, 4\]"),
        (_embeddings("text", np.zeros((2, 4))), r"'text' must have shape \[3, 4\]; got \[2, 4\]"),
        ({"embeddings": {}}, r"'text' must have shape \[3, 4\]; got nothing"),
        ({"status": {"text": ["ok"] * 3, **VIDEO}}, "'item 0' has 0 caption rows and the status 'ok'"),
        ({"status": {"text": ["absent"] * 3, **VIDEO}}, "'item 1' has 1 caption rows and the status 'absent'"),
        ({"status": VIDEO}, "status of 'text' must be 3 times ok.*got 0 of them"),
        ({"status": {"text": ["okay"] * 3, **VIDEO}}, "got 'okay'"),
        ({"caption_items": np.array([1, 2, 3])}, "caption_items must name items 0 to 2 in order"),
        ({"caption_items": np.array([2, 1, 2])}, "caption_items must name items 0 to 2 in order"),
    ],
)
def test_shards_that_do_not_fit(changes: dict[str, object], message: str, tmp_path: Path) -> None:
    with StoreWriter.open(tmp_path / "s", make_plan()) as writer, pytest.raises(UserError, match=message):
        writer.write_shard(0, _content(**changes))


def test_rows_that_are_not_there_may_hold_anything_and_are_stored_as_zero(tmp_path: Path) -> None:
    plan = make_plan(1, dims={"vas": 2})
    with StoreWriter.open(tmp_path / "s", plan) as writer:
        rows = {"vas": np.array([[np.nan, 1]], dtype=np.float32)}
        writer.write_shard(0, ShardContent(rows, {"vas": ["absent"]}, np.zeros(0, dtype=np.int64)))
        writer.finish()
    assert open_store(tmp_path / "s").embeddings("vas").tolist() == [[0, 0]]


def test_shards_are_plain_safetensors(tmp_path: Path) -> None:
    store = write(tmp_path / "s")
    with safe_open(store / "shards" / "00001.safetensors", framework="numpy") as file:
        assert sorted(file.keys()) == ["text", "text.item", "video", "video.present"]
        assert file.get_tensor("text.item").tolist() == [4, 5, 5]
        assert file.get_tensor("video.present").tolist() == [1, 0, 1]
        assert list(file.metadata()) == ["gram"]


def test_a_file_is_whole_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever kills the process while it writes, the final name holds the old content or the new."""
    from gramcli.files.writing import prepared, write_atomic

    path = tmp_path / "manifest.json"
    path.write_bytes(b"old")
    flushed: list[tuple[bytes, list[str]]] = []
    real = os.fsync

    def watching(handle: int) -> None:
        flushed.append((path.read_bytes(), sorted(entry.name for entry in tmp_path.iterdir())))
        real(handle)

    monkeypatch.setattr(os, "fsync", watching)
    write_atomic(path, b"new" * 1000)
    (old, before), after = flushed
    assert old == b"old"
    assert [prepared(name) for name in before] == ["manifest.json", None]
    assert after == (b"new" * 1000, ["manifest.json"])


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gramcli.files.writing import write_atomic

    path = tmp_path / "manifest.json"
    path.write_bytes(b"old")

    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"could not be written: No space left on device\. Make room"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["manifest.json"]
