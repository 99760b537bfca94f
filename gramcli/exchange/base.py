"""What a reader of a format hands over: a description of what it recognised, whose rows are read when asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from gramcli.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_ITEMS: Final = 4_000_000
"""Rows of a modality that one import takes: ids and states of all items are held in memory."""

MOST_ITEM_BYTES: Final = 256 * 2**20
"""Bytes of the features of one item, all of its time steps together."""


class Rows(Protocol):
    """Features of one modality, item by item, read by position.

    `inner` is the shape of one item's array, with None where it differs from item to item.
    """

    @property
    def n(self) -> int:
        """How many items."""

    @property
    def inner(self) -> tuple[int | None, ...]:
        """Shape of one item's array."""

    @property
    def dtype(self) -> str:
        """Name of the number type in the file."""

    def read(self, positions: NDArray[Any]) -> NDArray[Any] | list[NDArray[Any]]:
        """Return the features of some items.

        Args:
            positions: [k] int64, each in 0..n-1.

        Returns:
            [k, ...], or k arrays where their shapes differ.

        Raises:
            UserError: The file is damaged there.
        """


@dataclass
class Features:
    """One modality as it was found.

    Attributes:
        name: What the store calls it.
        rows: Its features.
        source: Where they come from, for messages: file and key.
        ids: The item of each row, in order; several rows of one item are its captions, of text only. None where rows
            are told apart by their number alone.
        lengths: [n] int64: how many of an item's time steps are features; None where the file does not say.
        meant: The modality that its name seems to mean and was not taken for.
    """

    name: str
    rows: Rows
    source: str
    ids: Sequence[str] | None = None
    lengths: NDArray[Any] | None = None
    meant: str | None = None


@dataclass
class Facts:
    """What files say of items by their id; None where they say nothing of an item.

    Attributes:
        splits: Id -> split, as written.
        labels: Id -> class name.
        captions: Id -> texts, in the order of the item's text rows.
    """

    splits: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    captions: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass
class Recognised:
    """What one format found in some files.

    Attributes:
        format: Name of its row in the catalog.
        features: The modalities.
        facts: What the files say of the items.
        row_facts: The same by row, where rows have no ids yet: `splits`, `labels` and `captions`, n of each or none.
        ids: Where the ids come from, in words.
        shared_space: Whether all modalities lie in one space; None where nothing says so.
        notes: What a reader should know, one sentence each.
        model: What the manifest of the store says of the model, where the file was exported from a store.
        dataset: The same of the dataset.
        shard_size: The same of its shards.
        status: Modality -> id -> status, where the file says more than that there is no vector.
        item_ids: All items in order, where the file names them apart from the features.
    """

    format: str
    features: list[Features]
    facts: Facts = field(default_factory=Facts)
    row_facts: dict[str, Sequence[str | tuple[str, ...] | None]] = field(default_factory=dict)
    ids: str = "by row"
    shared_space: bool | None = None
    notes: list[str] = field(default_factory=list)
    model: Mapping[str, Any] | None = None
    dataset: Mapping[str, Any] | None = None
    shard_size: int | None = None
    status: dict[str, dict[str, str]] = field(default_factory=dict)
    item_ids: Sequence[str] | None = None


@dataclass(frozen=True)
class Operand:
    """One FILE of the command line.

    Attributes:
        path: Where.
        name: The modality it was named for (`video=clip.npy`); None where it was not.
        head: How the file begins; empty of a folder.
        texts: The file that `--texts` names, for formats that store vectors by text.
        time_axis: Which axis of one item's array is time, as `--time-axis` says.
    """

    path: Path
    name: str | None
    head: bytes
    texts: Path | None = None
    time_axis: int = 0

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return not self.head and self.path.is_dir()


Reader = Callable[[Sequence[Operand]], Recognised | None]
"""What a row's target is: None where the files are of another format."""


def wrong(source: object, what: str, remedy: str = "Write the file again, or leave it out") -> UserError:
    """Build the error of a file that cannot be imported.

    Args:
        source: The file, and the key in it.
        what: What is wrong, as it follows the name.
        remedy: What to do.
    """
    return UserError("input", f"{source} {what}. {remedy}.")


def texts_as_keys(pairs: Iterable[tuple[Any, Any]], source: object) -> dict[str, Any]:
    """Return keys and values as a dictionary of texts; bytes are UTF-8.

    Raises:
        UserError: Two keys, such as 1 and "1", are one text, or a key cannot be written.
    """
    found: dict[str, Any] = {}
    for key, value in pairs:
        try:
            text = key.decode("utf-8", "backslashreplace") if isinstance(key, bytes) else str(key)
        except ValueError as error:  # Python writes no number of more than some thousand digits
            raise wrong(source, "has a key that is a number of thousands of digits") from error
        if text in found:
            raise wrong(source, f"has the key '{text}' twice, as a text and as a number", "Name its keys apart")
        found[text] = value
    return found


def needs_package(name: str, what: str, else_: str = "") -> UserError:
    """Build the error of a format whose library is not installed: the same to read and to write."""
    return UserError("input", f"{what} needs the package {name}: pip install 'gramcli[io]'.{else_}")
