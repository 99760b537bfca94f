"""Pickles of arrays, containers and texts, read without running anything that they name.

A pickle is a program. First its instructions are looked through: sizes must lie within the file, and what reaches
outside (persistent ids, the extension registry, buffers from elsewhere) is refused. Then it is run with stand-ins of
ours in place of the six names that a NumPy array is made of; any other name is refused before it is looked up.
"""

from __future__ import annotations

import pickle
import pickletools
from collections.abc import Callable
from contextvars import ContextVar
from math import prod
from typing import IO, TYPE_CHECKING, Any, Final

import numpy as np

from gramcli.errors import UserError
from gramcli.exchange.base import wrong
from gramcli.files.pickled_keys import Holdings
from gramcli.files.pickles import UnsafePickleError
from gramcli.files.reading import LARGE, open_regular
from gramcli.media.kinds import shown

if TYPE_CHECKING:
    from pathlib import Path

_MOST_STEPS: Final = 8_000_000  # instructions: each can make an object of up to a hundred bytes
_REFUSED: Final = frozenset({"PERSID", "BINPERSID", "EXT1", "EXT2", "EXT4", "NEXT_BUFFER", "READONLY_BUFFER", "OBJ"})
_KINDS: Final = "fiubSUO"
_MOST_AXES: Final = 32
_DEEPEST: Final = 5
_COPIES: Final = 2**24  # values that copies may have beyond what the file has bytes
_LEFT: ContextVar[int] = ContextVar("left", default=0)


def _spend(value: Any) -> None:  # noqa: ANN401 - from the file
    """Count what is copied: one value can be named any number of times.

    Raises:
        UserError: It is more than the file accounts for.
    """
    left = _LEFT.get() - len(value)
    if left < 0:
        raise UserError("input", "it holds the same values over and over, more than can be read")
    _LEFT.set(left)


class _DType:
    """Stands for numpy.dtype while a pickle is read."""

    def __init__(self, code: Any = None, _align: Any = False, _copy: Any = False) -> None:  # noqa: ANN401
        if not isinstance(code, str) or not code or code.lstrip("<>=|")[:1] not in _KINDS:
            raise UserError("input", f"it holds an array of {str(code)[:20]!r}, which are no numbers")
        self.code, self.order = ("O" if code.lstrip("|").startswith("O") else code), "="

    def __setstate__(self, state: Any) -> None:  # noqa: ANN401 - from the file
        """Take the byte order; records are refused."""
        if isinstance(state, tuple) and len(state) >= 5:
            if any(state[2:5]):
                raise UserError("input", "it holds an array of records, which are no features")
            self.order = state[1] if state[1] in "<>" else "="
            if self.code == "O":
                return
            if self.code[0] in "SU" and len(state) > 5 and isinstance(state[5], int) and 0 <= state[5] < 2**20:
                self.code = f"{self.code[0]}{state[5] // (4 if self.code[0] == 'U' else 1)}"

    def dtype(self) -> np.dtype[Any]:
        """The number type it stands for."""
        kind: np.dtype[Any] = np.dtype(self.code)
        order: Any = self.order
        return kind if order == "=" else kind.newbyteorder(order)


class _Array:
    """Stands for an array while a pickle is read: it takes its numbers when they come."""

    def __init__(self) -> None:
        self.value: Any = None

    def __setstate__(self, state: Any) -> None:  # noqa: ANN401 - from the file
        """Take shape, number type and numbers."""
        _, shape, dtype, fortran, data = state
        self.value = _array(data, dtype, shape, "F" if fortran else "C")

    def __reduce__(self) -> Any:  # noqa: ANN401 - never written
        raise TypeError("a stand-in is not pickled")


def _reconstruct(*_: object) -> _Array:
    return _Array()


def _array(data: Any, dtype: Any, shape: Any, order: Any) -> Any:  # noqa: ANN401 - from the file
    if not isinstance(dtype, _DType) or not isinstance(shape, tuple) or len(shape) > _MOST_AXES:
        raise UserError("input", "it holds an array whose shape or number type cannot be read")
    if any(not isinstance(size, int) or isinstance(size, bool) or size < 0 for size in shape):
        raise UserError("input", f"it holds an array of the shape {list(shape)!r:.60}, which no array has")
    if dtype.code == "O":
        return _objects(data, shape)
    kind = dtype.dtype()
    if isinstance(data, str):  # as Python 2 wrote it
        _spend(data)
        data = data.encode("latin-1")
    if not isinstance(data, bytes | bytearray) or len(data) != prod(shape) * kind.itemsize:
        held = len(data) if isinstance(data, bytes | bytearray) else 0
        said = f"{prod(shape) * kind.itemsize:,} bytes of numbers ({list(shape)} {kind}) and stores {held:,}"
        raise UserError("input", f"it declares {said}")
    return np.frombuffer(data, kind).reshape(shape, order="F" if order == "F" else "C")


def _objects(data: Any, shape: tuple[int, ...]) -> Any:  # noqa: ANN401 - from the file
    """An array of Python objects as a list, of lists where a row has several; they are plain values, as all here."""
    if not isinstance(data, list) or prod(shape) != len(data):
        raise UserError("input", "it holds an array of objects whose shape is not that of its content")
    width = prod(shape[1:])
    if width > 1:
        return [data[k : k + width] for k in range(0, len(data), width)]
    return data if len(shape) != 0 else data[0]


def _frombuffer(data: Any, dtype: Any, shape: Any, order: Any) -> Any:  # noqa: ANN401 - from the file
    return _array(data, dtype, shape, order)


def _scalar(dtype: Any, data: Any = b"") -> Any:  # noqa: ANN401 - from the file
    if isinstance(dtype, _DType) and dtype.code == "O":
        return list(data) if isinstance(data, tuple) else data  # no tuple, for it might become a key
    return _array(data, dtype, (1,), "C")[0].item()


def _encode(text: Any, encoding: Any = "latin1") -> bytes:  # noqa: ANN401 - from the file
    if not isinstance(text, str) or str(encoding).lower().replace("-", "") not in ("latin1", "ascii", "utf8"):
        raise UserError("input", f"it encodes a text by {encoding!r:.60}")
    _spend(text)
    return text.encode(encoding)


def _bytes(*values: Any) -> bytes:  # noqa: ANN401 - from the file
    if values and not isinstance(values[0], bytes | bytearray | list | tuple):
        raise UserError("input", "it makes bytes of something that are none")
    _spend(values[0] if values else b"")
    return bytes(*values[:1])


def _bytearray(*values: Any) -> bytearray:  # noqa: ANN401 - from the file
    return bytearray(_bytes(*values))


def _dictionary(*values: Any) -> dict[Any, Any]:  # noqa: ANN401 - from the file
    if not values or not isinstance(values[0], list | tuple | dict):
        return {}
    _spend(values[0])
    pairs = values[0].items() if isinstance(values[0], dict) else values[0]
    return {_key(key): value for key, value in pairs}


def _key(key: Any) -> Any:  # noqa: ANN401 - from the file
    """A key that is hashed in a moment.

    Raises:
        UserError: It is a tuple, which may hold itself many times over.
    """
    if isinstance(key, tuple):
        raise UserError("input", "it has a tuple as a key; keys are texts or numbers")
    return key


def _set(*values: Any) -> list[Any]:  # noqa: ANN401 - from the file
    if not values or not isinstance(values[0], list | tuple):
        return []
    _spend(values[0])
    return list(values[0])


_ARRAYS: Final = ("numpy.core.multiarray", "numpy._core.multiarray")
_NAMES: Final[dict[tuple[str, str], Callable[..., Any] | type]] = {
    **{(module, "_reconstruct"): _reconstruct for module in _ARRAYS},
    **{(module, "scalar"): _scalar for module in _ARRAYS},
    **{(module, "_frombuffer"): _frombuffer for module in ("numpy.core.numeric", "numpy._core.numeric")},
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _DType,
    ("_codecs", "encode"): _encode,
    ("collections", "OrderedDict"): _dictionary,
    ("collections", "defaultdict"): _dictionary,
    **{(module, "dict"): _dictionary for module in ("builtins", "__builtin__")},
    **{
        (module, name): _set for module in ("builtins", "__builtin__") for name in ("list", "set", "frozenset", "tuple")
    },
    **{(module, "bytes"): _bytes for module in ("builtins", "__builtin__")},
    **{(module, "bytearray"): _bytearray for module in ("builtins", "__builtin__")},
}


class _Unpickler(pickle.Unpickler):
    """Runs a pickle that was looked through, with stand-ins for all it may name."""

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401 - the signature of the base
        """Return the stand-in of a name.

        Raises:
            UserError: It has none; the name is not looked up.
        """
        if (module, name) not in _NAMES:
            raise _named(f"{module}.{name}")
        return _NAMES[module, name]

    def persistent_load(self, pid: Any) -> Any:  # noqa: ANN401 - the signature of the base
        """Refuse."""
        raise UserError("input", "it refers to data outside of itself")


def _named(name: str) -> UserError:
    return UserError("input", f"it names the code {name}, which is not run")


def unpickled(path: Path) -> Any:  # noqa: ANN401 - whatever it holds
    """Return what a pickle holds: dictionaries, lists, texts, numbers and arrays.

    Args:
        path: The file.

    Returns:
        Arrays as NumPy's, arrays of objects as lists, sets as lists.

    Raises:
        UserError: It names other code, reaches outside, declares more than it has, or is damaged.
    """
    where = shown(path)
    try:
        with open_regular(path) as file:
            size = path.stat().st_size
            if size > LARGE:
                raise wrong(where, f"has {size:,} bytes; a pickle is held in memory, at most {LARGE:,}", "Save .npz")
            _look_through(file, size)
            file.seek(0)
            _LEFT.set(size + _COPIES)
            found = _Unpickler(file, encoding="latin1").load()
        return _Unwrapper().take(found)
    except UserError as error:
        if error.message.startswith(where):
            raise
        raise wrong(where, f"is not read: {error.message}", "Save its arrays with numpy.savez") from error
    except UnsafePickleError as error:
        raise wrong(where, f"is not read: {error}", "Save its arrays with numpy.savez") from error
    except MemoryError as error:
        raise wrong(where, "declares more than memory holds", "Save its arrays with numpy.savez") from error
    except Exception as error:  # a pickle can fail in any way
        text = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise wrong(where, f"is no pickle that can be read ({text})", "Save its arrays with numpy.savez") from error


class _Within:
    """A file whose readings must lie within it: a declared size is checked before memory is set aside."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._size, self._at = file, size, 0

    def read(self, n: int) -> bytes:
        """Read n bytes.

        Raises:
            UserError: The file has no more so many.
        """
        if n > self._size - self._at:
            raise UserError("input", f"it declares a value of {n:,} bytes, more than the file has")
        data = self._file.read(n)
        self._at += len(data)
        return data

    def readline(self) -> bytes:
        """Read to the end of a line."""
        line = self._file.readline(2**20)
        self._at += len(line)
        return line

    def tell(self) -> int:
        """Where it is."""
        return self._at


def _look_through(file: IO[bytes], size: int) -> None:
    """Refuse instructions that would reach outside or take memory that the file does not.

    Raises:
        UserError: It has one.
    """
    puts, holdings = 0, Holdings()
    within: Any = _Within(file, size)
    for steps, (opcode, argument, _) in enumerate(pickletools.genops(within)):
        name = opcode.name
        holdings.see(opcode, argument)
        if steps > _MOST_STEPS:
            raise UserError("input", f"it has more than {_MOST_STEPS:,} instructions")
        if name in _REFUSED:
            raise UserError("input", f"it has the instruction {name}, which reaches outside of the file")
        if name in ("GLOBAL", "INST"):
            module, _, attribute = str(argument).partition(" ")
            if (module, attribute) not in _NAMES:
                raise _named(f"{module}.{attribute}")
        if name in ("PUT", "BINPUT", "LONG_BINPUT"):
            puts += 1
            if int(argument or 0) > 2 * (puts + steps):
                raise UserError("input", f"it numbers its {puts}. value {argument}, as no writer does")
        if name == "FRAME" and int(argument or 0) > size:
            raise UserError("input", f"it declares a frame of {argument:,} bytes, more than the file has")


class _Unwrapper:
    """Puts arrays in the place of their stand-ins; what holds itself many times over is refused."""

    def __init__(self) -> None:
        self._seen = 0

    def take(self, found: Any, depth: int = 0) -> Any:  # noqa: ANN401 - from the file
        """Return a value with its arrays in it.

        Raises:
            UserError: It is nested deeper than any file of features, or expands without end.
        """
        self._seen += 1
        if self._seen > _MOST_STEPS:
            raise UserError("input", "it holds the same values over and over, more than can be read")
        if isinstance(found, _Array):
            return found.value
        if not isinstance(found, dict | list | tuple):
            return None if isinstance(found, _DType) or callable(found) else found
        if depth > _DEEPEST:
            raise UserError("input", f"it is nested deeper than {_DEEPEST} levels")
        if isinstance(found, dict):
            return {key: self.take(value, depth + 1) for key, value in found.items()}
        return [self.take(value, depth + 1) for value in found]
