"""Calls an encoder as `gram embed` does: prepares each input anew, encodes in batches, puts the rows back in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from gramcli.encoders.base import BrokenEncoderError, UnusableVectorError
from gramcli.encoders.soundness.difference import array_of
from gramcli.errors import UserError

if TYPE_CHECKING:
    from gramcli.encoders.base import Encoder

Items = Mapping[str, Sequence[Any]]
"""Modality -> decoded inputs of the same items."""
Batches = Sequence[Sequence[int]]
Found = dict[str, NDArray[Any]]
"""Embedding -> rows [n, d] as the encoder gave them, in the order of the items."""

TEXTS: Final = ("text", "subtitle")
_SHOWN: Final = 160


_TIMES: Final = 4


def whole(n: int) -> Batches:
    """All items in one batch."""
    return [range(n)]


def singles(n: int) -> Batches:
    """Each item alone."""
    return [[index] for index in range(n)]


def pairs(n: int) -> Batches:
    """Two at a time."""
    return [list(range(start, min(start + 2, n))) for start in range(0, n, 2)]


def crowded(n: int) -> Batches:
    """All in one batch, several times over: as many as `gram embed` takes together, and more."""
    return [[*range(n)] * _TIMES]


def permuted(n: int) -> Batches:
    """All in one batch, each in the place of the next one."""
    return [[*range(1, n), 0]]


@dataclass(frozen=True)
class Subject:
    """Some inputs that are encoded together, and the embeddings looked at.

    Attributes:
        inputs: Modalities.
        names: Embeddings that are made of them.
    """

    inputs: tuple[str, ...]
    names: tuple[str, ...]


class Fault(Exception):  # noqa: N818 - a finding, no error of ours
    """An encoder did what ends or spoils a run; the message says what."""


def rows_of(encoder: Encoder, subject: Subject, items: Items, batches: Batches) -> Found:
    """Encode items in batches.

    Args:
        encoder: The encoder.
        subject: Which of its embeddings.
        items: The inputs of the subject, n of each modality.
        batches: Places of the items; of one that is encoded several times the last row counts.

    Returns:
        Every embedding of the subject: the rows of the items, in their order.

    Raises:
        Fault: It raised something, left an embedding out, or gave other than one row for each item.
    """
    found: dict[str, list[Any]] = {name: [] for name in subject.names}
    for batch in batches:
        given = encoded(encoder, {name: [items[name][index] for index in batch] for name in subject.inputs})
        for name in subject.names:
            if name not in given:
                raise Fault(f"gives no '{name}' of {' and '.join(subject.inputs)}, which dims names")
            rows = array_of(given[name])
            if rows.ndim != 2 or len(rows) != len(batch):
                raise Fault(f"gives '{name}' {list(rows.shape)} where [{len(batch)}, d] was due")
            found[name].append(rows)
    last = {index: place for place, index in enumerate(index for batch in batches for index in batch)}
    places = [last[index] for index in sorted(last)]
    return {name: _joined(name, parts)[places] for name, parts in found.items()}


def encoded(encoder: Encoder, media: Items) -> Mapping[str, Any]:
    """Prepare and encode one batch.

    Raises:
        Fault: Anything but a sentence for the user was raised, or the encoder's own numbers are of no use.
        UserError: The encoder refuses the inputs.
    """
    try:
        return encoder.encode({name: [prepared(encoder, name, one) for one in given] for name, given in media.items()})
    except (BrokenEncoderError, UnusableVectorError) as error:
        raise Fault(error.message) from error
    except UserError:
        raise
    except Exception as error:  # whatever it is, it would end the run of `gram embed`
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise Fault(f"raised {said[:_SHOWN]}") from error


def prepared(encoder: Encoder, modality: str, media: Any) -> Any:  # noqa: ANN401 - as the protocol
    """What the workers of `gram embed` do to one decoded input; texts stay as they are."""
    return media if modality in TEXTS else encoder.prepare(modality, media)


def _joined(name: str, parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    widths = {part.shape[1] for part in parts}
    if len(widths) > 1:
        raise Fault(f"gives '{name}' in several dimensions: {', '.join(map(str, sorted(widths)))}")
    return np.concatenate(list(parts))


@contextmanager
def other_threads() -> Iterator[tuple[int, int]]:
    """Compute with another number of threads in the block; gives the numbers before and in it."""
    import torch  # noqa: PLC0415 - an encoder may do without
    from threadpoolctl import threadpool_limits  # noqa: PLC0415

    before = torch.get_num_threads()
    other = 1 if before > 1 else 2
    torch.set_num_threads(other)
    try:
        with threadpool_limits(limits=other):
            yield before, other
    finally:
        torch.set_num_threads(before)
