"""What is read whole is a regular file of a bounded size; anything else is a reason at once."""

import os
import socket
from pathlib import Path

import pytest

from gramcli.files.reading import check_regular, read_regular


def test_a_file_and_a_link_to_one(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"content")
    (tmp_path / "b").symlink_to("a")
    assert read_regular(tmp_path / "a", 7) == read_regular(tmp_path / "b") == b"content"


def test_the_limit_is_named(tmp_path: Path) -> None:
    with (tmp_path / "a").open("wb") as file:
        file.truncate(2**30)  # of which nothing is read
    with pytest.raises(OSError, match="it is larger than 256 MiB, the limit of such a file"):
        read_regular(tmp_path / "a")


@pytest.mark.parametrize("read", [read_regular, check_regular])
def test_what_is_no_file(read: object, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(tmp_path / "socket"))
        for path, reason in (
            (tmp_path / "pipe", "a pipe, socket or device"),
            (tmp_path / "link", "a pipe, socket or device"),
            (Path("/dev/zero"), "a pipe, socket or device"),
            (tmp_path / "socket", "No such device or address"),
            (tmp_path, "a folder"),
            (tmp_path / "none", "No such file"),
        ):
            with pytest.raises(OSError, match=reason):
                read(path)  # type: ignore[operator]
