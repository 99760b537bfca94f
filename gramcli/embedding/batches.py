"""How many inputs are encoded together: halves where memory runs out, grows on a GPU; the store does not change."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gramcli.encoders.memory import is_out_of_memory
from gramcli.errors import UserError

if TYPE_CHECKING:
    from gramcli.encoders.base import Encoder

Inputs = Mapping[str, Sequence[Any]]

LARGEST: Final = 1024
_PROOFS: Final = 2  # full batches that went well before the next are twice as large


@dataclass
class Batches:
    """Sizes of batches, one for each set of modalities: a text needs far less memory than a video.

    On a GPU a batch that is too small leaves it idle, and how much fits is known to nobody: sizes double after each
    second full batch that went well, up to 1,024. On a CPU nothing would be won: encoders take items one by one there,
    so that a row has the same bits in any batch, and a larger batch only waits longer; `--batch-size` stays. On both,
    a batch that memory does not suffice for is halved and tried again, down to one item, which then has failed; a size
    that was too large is not tried again.

    Attributes:
        start: The size to begin with: `--batch-size`.
        grows: Whether sizes grow.
    """

    start: int
    grows: bool = False
    _sizes: dict[frozenset[str], int] = field(default_factory=dict)
    _largest: dict[frozenset[str], int] = field(default_factory=dict)
    _proofs: Counter[frozenset[str]] = field(default_factory=Counter)

    def size(self, inputs: Sequence[str]) -> int:
        """How many items with these modalities are encoded together now."""
        return self._sizes.get(frozenset(inputs), self.start)

    def encode(self, encoder: Encoder, inputs: Inputs) -> Mapping[str, Any]:
        """Encode a batch, in parts where memory does not suffice for it.

        Args:
            encoder: The encoder.
            inputs: Modality to n inputs, n at least 1.

        Returns:
            As `Encoder.encode`, for all n.

        Raises:
            UserError: As the encoder says, or memory does not suffice for one item alone.
        """
        found = list(self._parts(encoder, inputs))
        if len(found) == 1:
            return found[0]
        return {name: np.concatenate([np.asarray(part[name]) for part in found]) for name in found[0]}

    def _parts(self, encoder: Encoder, inputs: Inputs) -> Iterator[Mapping[str, Any]]:
        n, start = len(next(iter(inputs.values()))), 0
        while start < n:
            size = min(self.size(tuple(inputs)), n - start)
            found = _attempt(encoder, {name: given[start : start + size] for name, given in inputs.items()})
            if found is None:  # the frames of what failed are gone by now, and with them their memory
                self._halve(frozenset(inputs), size)
                continue
            self._proved(frozenset(inputs), size)
            yield found
            start += size

    def _halve(self, key: frozenset[str], size: int) -> None:
        _release()
        if size == 1:
            raise UserError("embedding", "out of memory with this item alone; use a device with more memory")
        self._sizes[key] = self._largest[key] = size // 2

    def _proved(self, key: frozenset[str], size: int) -> None:
        if not self.grows or size < self.size(tuple(key)):
            return
        self._proofs[key] += 1
        if self._proofs[key] % _PROOFS == 0 and 2 * size <= self._largest.get(key, max(LARGEST, self.start)):
            self._sizes[key] = 2 * size


def _attempt(encoder: Encoder, inputs: Inputs) -> Mapping[str, Any] | None:
    """What the encoder gives; None where memory ran out."""
    try:
        return encoder.encode(inputs)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        return None


def _release() -> None:
    """Give back what torch keeps of freed memory on a GPU."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
