"""Ways to damage a file: by field, by byte and by truncation; all drawn from a seeded generator."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

Damage = tuple[str, bytes]
Mutation = Callable[[Random, bytes], Damage]

# What JSON text can say and Python's writer does not: it takes the place of a marked string.
_RAW = {
    "NaN": "NaN",
    "-Infinity": "-Infinity",
    "1e999": "1e999",
    "5000 digits": "9" * 5_000,
    "nested lists": "[" * 100_000 + "]" * 100_000,
    "nested objects": '{"a":' * 100_000 + "1" + "}" * 100_000,
    "named twice": '{"a": 1, "a": 2}',
}
_VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 1, 1.5, 2**31, 2**63, 10**30, -(10**300), 1e300, "", "x", "NaN", "../x", "a" * 70_000,
    "\x1b[31m\x1b]0;t\x07", "\u202eabc\u2028\x00", "{}", "\ud800", [], {}, [None], [[]], [1, "a"], {"a": None}, [{}],
)  # fmt: skip
_MARK = "@raw:"
_CELLS = (
    "", " ", "NaN", "1e999", "-1", "9" * 5_000, "x" * 70_000, '"', "a,b", "a\tb", "[", '["a"', "../x", "/dev/zero",
    "\x1b[31mred", "\u202eabc", "null", "[" * 2_000, "\r", "http://x", "{}", "{} {} {}",
)  # fmt: skip


def bytewise(random: Random, data: bytes) -> Damage:
    """Flip, insert, remove or repeat a few bytes, or cut the file off."""
    at = random.randrange(len(data) + 1)
    many = random.choice((1, 1, 2, 8, 64))
    noise = random.choice(
        (b"\0" * many, b"\xff" * many, random.randbytes(many), b'"' * many, b"\x1b[31m", b"\n" * many)
    )
    return random.choice(
        (
            (f"cut off at byte {at}", data[:at]),
            (f"{noise[:8]!r} inserted at {at}", data[:at] + noise + data[at:]),
            (f"{noise[:8]!r} written at {at}", data[:at] + noise + data[at + len(noise) :]),
            (f"{many} bytes removed at {at}", data[:at] + data[at + many :]),
            ("repeated", data + data),
            ("a mark before it", b"\xef\xbb\xbf" + data),
            ("empty", b""),
            ("zeros", b"\0" * len(data)),
        )
    )


def field(random: Random, data: bytes) -> Damage:
    """Drop, retype, enlarge, nest or duplicate one field of a JSON document."""
    document = json.loads(data)
    said, text = mutated(random, document)
    return said, text.encode()


def lines_of_json(random: Random, data: bytes) -> Damage:
    """The same for one line of JSON lines."""
    lines = data.decode().splitlines()
    k = random.randrange(len(lines))
    said, lines[k] = mutated(random, json.loads(lines[k]))
    return f"line {k + 1}: {said}", ("\n".join(lines) + "\n").encode()


def header(random: Random, data: bytes) -> Damage:
    """The same for the header of a safetensors file."""
    end = 8 + int.from_bytes(data[:8], "little")
    said, text = mutated(random, json.loads(data[8:end]))
    return f"header: {said}", _with_header(text, data[end:])


def metadata(key: str) -> Mutation:
    """The same for a JSON document that the metadata of a safetensors file hold as a string."""

    def mutation(random: Random, data: bytes) -> Damage:
        end = 8 + int.from_bytes(data[:8], "little")
        head = json.loads(data[8:end])
        said, head["__metadata__"][key] = mutated(random, json.loads(head["__metadata__"][key]))
        return f"{key}: {said}", _with_header(json.dumps(head), data[end:])

    return mutation


def cells(delimiter: str) -> Mutation:
    """Change one cell of a table, or drop or repeat one of its lines or columns."""

    def mutation(random: Random, data: bytes) -> Damage:
        rows = [line.split(delimiter) for line in data.decode().splitlines()]
        i = random.randrange(len(rows))
        j = random.randrange(len(rows[i]))
        value = random.choice(_CELLS)
        kind = random.choice(("cell", "cell", "cell", "short", "long", "repeated", "dropped", "column"))
        if kind == "cell":
            rows[i][j] = value
        elif kind == "short":
            del rows[i][j]
        elif kind == "long":
            rows[i].insert(j, value)
        elif kind == "repeated":
            rows.insert(i, list(rows[i]))
        elif kind == "dropped":
            del rows[i]
        else:
            rows = [row[:j] + row[j + 1 :] for row in rows]
        text = "\n".join(delimiter.join(row) for row in rows) + "\n"
        return f"{kind} {value[:12]!r} at line {i + 1}, {j + 1}", text.encode("utf-8", "surrogatepass")

    return mutation


def settings(random: Random, data: bytes) -> Damage:
    """Change one value, key or heading of a TOML file."""
    lines = data.decode().splitlines()
    k = random.randrange(len(lines))
    key, equals, _ = lines[k].partition("=")
    value = random.choice(
        ("nan", "inf", "-1", "9" * 5_000, '"x"', "[]", "{}", "true", "1e999", "[" * 5_000, '"\\u001b[31m"', "", "0x10")
    )
    other = random.choice((f"{key}={value}", f"{value} = 1", f"[{key.strip()}]", lines[k] + "\n" + lines[k], "", "[["))
    lines[k] = other if equals else random.choice(("", f"{lines[k]}\n{lines[k]}", "[x]", "[" * 5_000, "[align.x]"))
    return f"line {k + 1} is {lines[k][:40]!r}", "\n".join(lines).encode()


def mutated(random: Random, document: Any) -> tuple[str, str]:
    """Change one place of a document; fields that lists repeat count once, so that long ones do not decide."""
    shapes: dict[str, list[tuple[Any, ...]]] = {}
    for path in _paths(document, ()):
        shapes.setdefault("/".join("*" if isinstance(step, int) else step for step in path), []).append(path)
    path = random.choice(shapes[random.choice(list(shapes))])
    changed = copy.deepcopy(document)
    where = ".".join(map(str, path)) or "everything"
    if not path:
        return _dumped(where, _new(random))
    owner = changed
    for step in path[:-1]:
        owner = owner[step]
    kind = random.choice(("drop", "value", "value", "value", "raw", "twice", "more"))
    if kind == "drop":
        del owner[path[-1]]
        return _dumped(f"{where} dropped", changed)
    if kind == "twice" and isinstance(owner, dict):
        owner[f"{_MARK}twice:{path[-1]}"] = owner[path[-1]]
        return _dumped(f"{where} twice", changed)
    if kind == "more" and isinstance(owner[path[-1]], list):
        owner[path[-1]] = [*owner[path[-1]], *owner[path[-1]]]
        return _dumped(f"{where} doubled", changed)
    value = _MARK + random.choice(list(_RAW)) if kind == "raw" else random.choice(_VALUES)
    owner[path[-1]] = value
    return _dumped(f"{where} = {str(value)[:40]!r}", changed)


def _new(random: Random) -> Any:
    return random.choice((*_VALUES, *(_MARK + name for name in _RAW)))


def _dumped(said: str, document: Any) -> tuple[str, str]:
    text = json.dumps(document).replace(f"{_MARK}twice:", "")
    for name, raw in _RAW.items():
        text = text.replace(f'"{_MARK}{name}"', raw)
    return said, text


def _paths(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    yield path
    steps = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for step in steps:
        yield from _paths(value[step], (*path, step))


def _with_header(text: str, tensors: bytes) -> bytes:
    head = text.encode("utf-8", "surrogatepass")
    return len(head).to_bytes(8, "little") + head + tensors
