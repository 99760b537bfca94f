"""There is one way to read a file, and one to write it: no other call that opens files stands in the package."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import gramcli

ROOT = Path(gramcli.__file__).parent
CALLS = {"read_bytes", "read_text", "write_bytes", "write_text", "mkstemp", "NamedTemporaryFile", "touch", "rename"}
CALLS |= {"makedirs", "rmtree", "unlink"}
MODE = re.compile(r"[rwxabt+]{1,3}")
# file -> the one call, and why it may stand there
KNOWN = {
    ("errors.py", "read_bytes"): "a pointer of at most 1 KiB, looked at once a reader has failed",
    ("cli/streams.py", "open"): "the null device, where stdout or stderr was closed",
    ("embedding/workers.py", "open"): "Linux's file for the out-of-memory killer",
}


def _opening(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name) and node.func.id == "open":
            yield "open"
        if isinstance(node.func, ast.Attribute):
            name, first = node.func.attr, node.args[0] if node.args else None
            mode = first.value if isinstance(first, ast.Constant) else None
            if name in CALLS or (name == "open" and isinstance(mode, str) and MODE.fullmatch(mode)):
                yield name


def test_files_are_opened_by_the_doors_only() -> None:
    found = {
        (path.relative_to(ROOT).as_posix(), name)
        for path in sorted(ROOT.rglob("*.py"))
        if path.parent.name != "files"
        for name in _opening(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert found == set(KNOWN)


def test_what_is_looked_for_is_found() -> None:
    code = (
        "path.open('rb'); open(path); path.write_text(''); Image.open(path); av.open(path, 'w'); text.replace('a', 'b')"
    )
    assert list(_opening(ast.parse(code))) == ["open", "open", "write_text"]
