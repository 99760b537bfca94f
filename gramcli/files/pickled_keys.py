"""What a pickle holds, told by its instructions alone: how many containers, and what stands as a key."""

from __future__ import annotations

import pickletools
from typing import TYPE_CHECKING, Any, Final

from gramcli.files.amounts import MOST_ROWS
from gramcli.files.pickles import MOST_STEPS, UnsafePickleError

if TYPE_CHECKING:
    from pickletools import OpcodeInfo

_MARK: Final = -1
_PLAIN: Final = 0
_TUPLE: Final = 1
_CONTAINERS: Final = frozenset({"EMPTY_LIST", "EMPTY_DICT", "EMPTY_SET", "LIST", "DICT", "FROZENSET"})
_EMPTY: Final = frozenset({"EMPTY_LIST", "EMPTY_DICT", "EMPTY_SET"})
_TUPLES: Final = frozenset({"TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"})
_MARKED: Final = frozenset(
    {"TUPLE", "LIST", "DICT", "FROZENSET", "INST", "OBJ", "APPENDS", "SETITEMS", "ADDITEMS", "POP_MARK"}
)
_PAIRED: Final = frozenset({"DICT", "SETITEMS"})
_GATHERED: Final = frozenset({"FROZENSET", "ADDITEMS"})
_INTO: Final = frozenset({"APPENDS", "SETITEMS", "ADDITEMS", "POP_MARK"})
_PUTS: Final = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})
_GETS: Final = frozenset({"GET", "BINGET", "LONG_BINGET"})
_WHOLE: Final = frozenset({"INT", "LONG", "LONG1", "LONG4"})


class Holdings:
    """Follows the stack of a pickle without making any of its values.

    Tuples within tuples, each named twice, take the square of time to be hashed with every level: none may be a key.
    Whole numbers beyond 64 bits can be chosen to share one hash: none may be there at all.
    """

    def __init__(self) -> None:
        self._stack: list[int] = []
        self._memo: dict[int, int] = {}
        self._containers = 0

    def see(self, opcode: OpcodeInfo, argument: Any) -> None:  # noqa: ANN401 - of any instruction
        """Take the next instruction.

        Raises:
            UnsafePickleError: There are too many containers, a tuple is a key, or a whole number is too large.
            ValueError: The stack has less than the instruction takes.
        """
        name = opcode.name
        if name in _CONTAINERS:
            self._contain()
            if name in _EMPTY:  # the most frequent of all in a file of nothing else
                self._stack.append(_PLAIN)
                return
        if name in _WHOLE and abs(argument) >= 2**64:
            raise UnsafePickleError("it holds a whole number of more than 64 bits")
        if name in _MARKED:
            self._marked(name)
        elif name in _PUTS:
            self._memo[int(argument)] = self._top()
        elif name == "MEMOIZE":
            self._memo[len(self._memo)] = self._top()
        elif name in _GETS:
            self._stack.append(self._memo.get(int(argument), _PLAIN))
        elif name == "DUP":
            self._stack.append(self._top())
        elif name == "MARK":
            self._stack.append(_MARK)
        elif name == "POP":
            del self._stack[-1:]
        else:
            self._plain(name, len(opcode.stack_before), len(opcode.stack_after))

    def _contain(self) -> None:
        self._containers += 1
        if self._containers > MOST_ROWS:
            raise UnsafePickleError(f"it holds more than {MOST_ROWS:,} lists and dictionaries")

    def _top(self) -> int:
        if not self._stack or self._stack[-1] == _MARK:
            raise ValueError("an instruction has nothing to take")
        return self._stack[-1]

    def _marked(self, name: str) -> None:
        """Instructions that take all down to a mark."""
        items = []
        while self._stack and (one := self._stack.pop()) != _MARK:
            items.append(one)
        items.reverse()
        if name in _PAIRED:
            _check_keys(items[::2])
        if name in _GATHERED:
            _check_keys(items)
        if name not in _INTO:
            self._stack.append(_TUPLE if name in _TUPLES else _PLAIN)

    def _plain(self, name: str, before: int, after: int) -> None:
        """Instructions that take a known number of values."""
        taken = self._stack[len(self._stack) - before :] if before else []
        if len(taken) < before or _MARK in taken:
            raise ValueError("an instruction has less to take than it needs")
        if name == "SETITEM":
            _check_keys(taken[1:2])
        if before:
            del self._stack[-before:]
        self._stack += [_TUPLE if name in _TUPLES else _PLAIN] * after


def check_holdings(data: bytes) -> None:
    """Look through a whole pickle.

    Args:
        data: The pickle.

    Raises:
        UnsafePickleError: As `Holdings.see`, or it has too many instructions.
        ValueError: It is no pickle.
    """
    holdings = Holdings()
    for steps, (opcode, argument, _) in enumerate(pickletools.genops(data)):
        if steps > MOST_STEPS:
            raise UnsafePickleError(f"it has more than {MOST_STEPS:,} instructions")
        holdings.see(opcode, argument)


def _check_keys(kinds: list[int]) -> None:
    if _TUPLE in kinds:
        raise UnsafePickleError("it has a tuple as a key; keys are texts or numbers")
