"""Files are whole or not there, and nothing is written, emptied or removed through a link."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gramcli.errors import UserError
from gramcli.files.locking import Taken, take_lock
from gramcli.files.writing import (
    check_own_folder,
    make_folder,
    make_own_folder,
    prepared,
    remove_files,
    remove_leftovers,
    replacing,
    write_atomic,
    write_special,
)


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_link_under_the_final_name_is_replaced_and_its_target_left(tmp_path: Path) -> None:
    precious, name = tmp_path / "precious", tmp_path / "heads.json"
    precious.write_text("mine")
    name.symlink_to(precious)
    write_atomic(name, b"new")
    assert (precious.read_text(), name.read_bytes(), name.is_symlink()) == ("mine", b"new", False)


def test_no_link_waits_under_the_temporary_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if it is foreseen: the file is made exclusively."""
    precious = tmp_path / "precious"
    precious.write_text("mine")
    monkeypatch.setattr("secrets.token_hex", lambda n: "0" * 2 * n)
    (tmp_path / ".a.json.0000000000000000.tmp").symlink_to(precious)
    with pytest.raises(UserError, match=r"a\.json could not be written: File exists"):
        write_atomic(tmp_path / "a.json", b"new")
    assert precious.read_text() == "mine"


def test_two_temporary_names_differ(tmp_path: Path) -> None:
    with replacing(tmp_path / "a") as _, replacing(tmp_path / "a") as _:
        names = _names(tmp_path)
    assert len(names) == 2
    assert {prepared(name) for name in names} == {"a"}


@pytest.mark.parametrize("name", ["a" * 250 + ".json", "é" * 120, "a\nb", "-rf"])
def test_odd_names(name: str, tmp_path: Path) -> None:
    write_atomic(tmp_path / name, b"new")
    assert _names(tmp_path) == [name]


def test_a_block_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with pytest.raises(ValueError, match="half-way"), replacing(path) as file:
        file.write(b"new")
        raise ValueError("half-way")
    assert (path.read_bytes(), _names(tmp_path)) == (b"old", ["a"])


@pytest.mark.parametrize("there", [True, False])
def test_a_folder_of_grams_own_is_no_link(there: bool, tmp_path: Path) -> None:
    other, own = tmp_path / "other", tmp_path / "shards"
    if there:
        other.mkdir()
        (other / "00000.safetensors").write_text("mine")
    own.symlink_to(other)
    for act in (
        lambda: make_own_folder(own),
        lambda: check_own_folder(own),
        lambda: write_atomic(own / "00000.safetensors", b"new", own_folder=True),
        lambda: remove_files(own, lambda _: True, own_folder=True),
        lambda: remove_leftovers(own, lambda _: True, own_folder=True),
    ):
        with pytest.raises(UserError, match=r"shards is a link, .* Name another output"):
            act()
    assert not there or [(path.name, path.read_text()) for path in other.iterdir()] == [("00000.safetensors", "mine")]


def test_a_pipe_is_written_to_where_somebody_reads(tmp_path: Path) -> None:
    """And where nobody does, that is said at once, not waited for."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(UserError, match=r"pipe could not be written: nobody reads from it\. Start its reader first"):
        write_special(pipe, b"x")
    reader = subprocess.Popen(["dd", f"if={pipe}", f"of={tmp_path / 'read'}", "status=none"])
    data = b"x" * 5_000_000  # more than a pipe holds: it waits for its reader
    for _ in range(100):
        try:
            write_special(pipe, data)
            break
        except UserError:
            time.sleep(0.1)  # the reader is not there yet
    assert reader.wait(timeout=20) == 0
    assert (tmp_path / "read").read_bytes() == data


def test_a_folder_that_the_user_names_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "disk")
    make_folder(tmp_path / "out")
    write_atomic(tmp_path / "out" / "a", b"new")
    assert (tmp_path / "disk" / "a").read_bytes() == b"new"


def test_folders_twelve_hundred_deep(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*"a" * 1200)
    try:
        make_folder(deep)
        assert deep.is_dir()
        make_folder(deep)
    finally:
        subprocess.run(["rm", "-r", str(tmp_path / "a")], check=True)  # pytest's own way is recursive


@pytest.mark.parametrize("way", ["file", "file/a", "link", "link/a"])
def test_folders_that_cannot_be_made(way: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(OSError, match=r"Not a directory|No such file"):
        make_folder(tmp_path / way)
    assert not (tmp_path / "nowhere").exists()


def test_leftovers_go_and_other_files_stay(tmp_path: Path) -> None:
    """Those of a killed run, those of earlier versions, and no other file."""
    left = [".items.csv.0123456789abcdef.tmp", ".items.csv.tmp"]
    kept = [".items.csv.0123456789abcdef", ".mine.0123456789abcdef.tmp", "items.csv", "items.csv.tmp"]
    for name in (*left, *kept):
        (tmp_path / name).write_text("x")
    remove_leftovers(tmp_path, {"items.csv"}.__contains__)
    assert _names(tmp_path) == sorted(kept)


def test_what_another_process_is_preparing_is_no_leftover(tmp_path: Path) -> None:
    with replacing(tmp_path / "items.csv") as file:
        remove_leftovers(tmp_path, {"items.csv"}.__contains__)
        file.write(b"new")
    assert (tmp_path / "items.csv").read_bytes() == b"new"


def test_killed_while_it_writes(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from gramcli.files.writing import replacing\n"
        "with replacing(Path(sys.argv[1])) as file: file.write(b'half'); file.flush(); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "items.csv")], check=False, timeout=60)
    assert done.returncode == -9
    assert [prepared(name) for name in _names(tmp_path)] == ["items.csv"]
    remove_leftovers(tmp_path, {"items.csv"}.__contains__)
    assert _names(tmp_path) == []


def _linked(path: Path, outside: Path) -> None:
    path.symlink_to(outside)


@pytest.mark.parametrize(
    "stand", [_linked, lambda path, outside: path.hardlink_to(outside), lambda path, _: os.mkfifo(path),
              lambda path, _: path.mkdir(), lambda path, _: path.write_text("a diary")]
)  # fmt: skip
def test_what_is_no_lock_of_grams_is_left_as_it_is(stand: object, tmp_path: Path) -> None:
    outside, path = tmp_path / "precious", tmp_path / ".lock"
    outside.write_text("mine")
    stand(path, outside)  # type: ignore[operator]
    with pytest.raises(UserError, match=r"\.lock is not a lock that gram made .* Name another output"):
        take_lock(path, tmp_path)
    assert outside.read_text() == "mine"
    assert not path.is_file() or path.read_text() in ("mine", "a diary")


def test_a_dangling_link_makes_no_file(tmp_path: Path) -> None:
    (tmp_path / ".lock").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"\.lock is not a lock that gram made"):
        take_lock(tmp_path / ".lock", tmp_path)
    assert _names(tmp_path) == [".lock"]


@pytest.mark.parametrize("before", ["", "p", "pid 7 on elsewhere"])
def test_a_lock_says_who_holds_it(before: str, tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    path.write_text(before)
    lock = take_lock(path, tmp_path)
    with pytest.raises(Taken, match=rf"another gram process \(pid {os.getpid()} on "):
        take_lock(path, tmp_path)
    os.close(lock)
