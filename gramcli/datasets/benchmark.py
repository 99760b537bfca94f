"""What describes a benchmark: its protocols and the files in circulation that hold them. Plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from gramcli.catalog import did_you_mean
from gramcli.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable

    from gramcli.datasets.entries import Entry

Captions = Literal["all", "first", "joined"]


@dataclass(frozen=True)
class Annotation:
    """An annotation file in circulation.

    Attributes:
        pattern: Its file name; `*` stands for anything, upper and lower case are alike.
        ids: Names of a file that says which of its ids count; empty where all do.
        splits: Splits that count, where the file names several; empty where all do.
        split: The split of all its entries, where the file names none.
        header: Column names, where the file has none.
        untested: Only entries that the protocol does not evaluate count.
    """

    pattern: str
    ids: tuple[str, ...] = ()
    splits: tuple[str, ...] = ()
    split: str = "test"
    header: tuple[str, ...] = ()
    untested: bool = False

    @property
    def expected(self) -> str:
        """The file, and those it needs beside it, for people."""
        return f"{self.pattern} (with {' or '.join(self.ids)})" if self.ids else self.pattern


@dataclass(frozen=True)
class Beside:
    """A split beside the one that a protocol evaluates, by the dataset's official files.

    Attributes:
        name: `train`, which heads learn from, or `val`, by which an epoch is chosen.
        annotations: Files that hold it, the first found is taken.
        n: How many items it has by its definition; None where circulating copies differ.
    """

    name: Literal["train", "val"]
    annotations: tuple[Annotation, ...]
    n: int | None = None

    @property
    def expected(self) -> tuple[str, ...]:
        """The files that would do, for people."""
        return tuple(annotation.expected for annotation in self.annotations)


@dataclass(frozen=True)
class Protocol:
    """Which items and captions of a benchmark are evaluated.

    Attributes:
        name: The word after `--protocol`.
        n: How many items it has by its definition; None where circulating copies differ.
        about: What it is and who uses it, for people.
        annotations: Files that hold it, the first found is taken.
        captions: All captions of an item, its first, or all joined to one paragraph.
        needs_audio: Items without a sound track are left out.
        version: Raised when the same name would mean other items or captions.
        beside: Its splits for training and for choosing an epoch.
        same_as: The protocol whose items it evaluates, where it differs from it in `beside` only.
    """

    name: str
    n: int | None
    about: str
    annotations: tuple[Annotation, ...]
    captions: Captions = "all"
    needs_audio: bool = False
    version: int = 1
    beside: tuple[Beside, ...] = ()
    same_as: str | None = None

    @property
    def id(self) -> str:
        """Name and version, as results record it: `msrvtt-1k@1`; of the protocol whose items are evaluated."""
        return f"{self.same_as or self.name}@{self.version}"

    @property
    def evaluated(self) -> str:
        """The split that it evaluates."""
        return self.annotations[0].split


@dataclass(frozen=True)
class Benchmark:
    """A dataset known by name.

    Attributes:
        name: The word on the command line.
        protocols: The first is the default.
        id_pattern: Regular expression of its ids, by which files of another dataset with the same name are told apart.
        layouts: Media layouts in circulation, for people.
        folders: Parts of folder names that speak for this dataset where several hold an annotation file.
        media: What its items are: videos (which have sound), or sounds (which may have videos).
        spelled: Gives an entry the benchmark's own id, whichever file it came from.
        source: Regular expression of its ids, whose first group is the video that a clip was cut from; None where ids
            do not say.
    """

    name: str
    protocols: tuple[Protocol, ...]
    id_pattern: str
    layouts: tuple[str, ...]
    folders: tuple[str, ...] = ()
    media: Literal["video", "audio"] = "video"
    spelled: Callable[[Entry], Entry] | None = field(default=None)
    source: str | None = None

    def protocol(self, name: str | None) -> Protocol:
        """Return a protocol by name, with or without its version; the default for None.

        Raises:
            UserError: No such protocol, or another version of it.
        """
        if name is None:
            return self.protocols[0]
        word, _, version = name.partition("@")
        for protocol in self.protocols:
            if protocol.name == word:
                if version not in ("", str(protocol.version)):
                    message = f"--protocol {name}: this gramcli has {protocol.id}. Leave the version out, or take that."
                    raise UserError("usage", message)
                return protocol
        known = [protocol.name for protocol in self.protocols]
        message = f"{self.name} has no protocol '{name}'.{did_you_mean(word, known)} It has: {', '.join(known)}."
        raise UserError("usage", f"{message} See: gram datasets {self.name}")
