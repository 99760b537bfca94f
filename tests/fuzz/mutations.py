"""Ways to damage a file: by field, by byte and by truncation; all drawn from a seeded generator."""

from __future__ import annotations

import copy
import datetime
import decimal
import io
import json
import pickle
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


def pickled(random: Random, data: bytes) -> Damage:
    """Change one place of what a pickle holds, to what only pickles can hold; or an instruction of it."""
    held = pickle.loads(data)
    name, other = random.choice(list(held)), copy.deepcopy(random.choice(_PICKLED))
    captions = held[name]
    kind = random.choice(("key", "captions", "caption", "word", "instruction", "everything"))
    if kind == "key":
        held = {_key(other): captions, **held}
    elif kind == "captions":
        held[name] = other
    elif kind == "caption":
        captions[random.randrange(len(captions))] = other
    elif kind == "word":
        captions[random.randrange(len(captions))] = ["a", other]
    elif kind == "everything":
        held = other
    raw = pickle.dumps(held, random.choice((0, 2, 4, 5)))
    if kind == "instruction":
        at = random.randrange(2, len(raw))
        raw = raw[:at] + random.choice(_INSTRUCTIONS) + raw[at:]
    return f"{kind} {type(other).__name__}", raw


def _key(value: Any) -> Any:
    try:
        hash(value)
    except TypeError:
        return type(value).__name__
    return value


def _twice(depth: int) -> list[Any]:
    value: list[Any] = ["a"]
    for _ in range(depth):
        value = [value, value]
    return value


_PICKLED: tuple[Any, ...] = (
    None, True, b"a\xff", 10**6000, -1, 1.5, float("nan"), (), ("a", b"b"), [], [[]], [_twice(30)], {"a": {}}, {1, 2},
    "\x1b[31m", "\ud800", "a" * 70_000, bytearray(b"x"), complex(1, 2), [["a"] * 1000] * 20_000, _twice(40),
)  # fmt: skip
_INSTRUCTIONS = (
    b"r\xff\xff\xff\x0f", b"\x96" + (8 << 30).to_bytes(8, "little"), b"\x8d" + (1 << 40).to_bytes(8, "little"),
    b"cos\nsystem\n", b"p99999999\n", b"(" * 1000, b"\x95" + b"\xff" * 8, b"Q", b"\x82\x01", b"I" + b"9" * 5000 + b"\n",
    b"0", b"2", b"u", b"e", b"b", b"R", b".",
)  # fmt: skip


def columns(random: Random, data: bytes) -> Damage:
    """Give a column of a Parquet file other values: of another type, missing, long, or one text named many times."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(io.BytesIO(data))
    at, n = random.randrange(table.num_columns), table.num_rows
    name = table.column_names[at]
    kind = random.choice(("type", "type", "type", "missing", "name", "twice", "many", "long"))
    if kind == "type":
        value = random.choice(_FOREIGN)
        table = table.set_column(at, name, pa.array([value] * n))
        kind = type(value).__name__
    elif kind == "missing":
        table = table.set_column(at, name, pa.nulls(n))
    elif kind == "name":
        table = table.rename_columns(
            [random.choice(_CELLS)[:100] if one == name else one for one in table.column_names]
        )
    elif kind == "twice":
        table = table.append_column(random.choice((name, name.upper())), table.column(at))
    else:
        rows, letters = (3_000_000, 1_000) if kind == "many" else (100_000, 100_000)
        indices = pa.array([0] * rows, pa.int32())
        table = pa.table({name: pa.DictionaryArray.from_arrays(indices, pa.array(["v" * letters]))})
    file = io.BytesIO()
    pq.write_table(table, file, compression=random.choice(("zstd", "none")))
    return f"{kind} in {name}", file.getvalue()


_FOREIGN: tuple[Any, ...] = (
    b"a\xff", datetime.datetime(2020, 1, 1), datetime.date(2020, 1, 1), datetime.time(1), datetime.timedelta(1),
    decimal.Decimal("1.5"), {"u": 1, "v": datetime.date(2020, 1, 1)}, [b"x"], [["a"]], True, 1.5, float("nan"),
    -(2**63), "", "\x1b[31m", "a" * 70_000, "../x", [], [None],
)  # fmt: skip


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
