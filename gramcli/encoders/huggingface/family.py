"""What a family of models is to the encoder that wraps it: inputs in, raw vectors out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from gramcli.encoders.base import EncoderOptions, Prepare, Preprocessing

if TYPE_CHECKING:
    from torch import Tensor

    from gramcli.encoders.huggingface.source import Source


class Family(Protocol):
    """One loaded model; `HuggingFaceEncoder` normalises what it gives, one item at a time on a CPU.

    Attributes:
        modalities: The inputs it takes.
        dims: Every embedding it gives, by name: plain modalities, views (`text@video`), fused ones (`va`).
        fused: The embeddings made of several inputs, with these in order.
        preprocessing: How media are decoded for it.
        prepare: What is done to decoded media in the workers; pickles, and loads no torch.
        shared_space: Whether its vectors can be compared across modalities.
        notes: What a user should know of it, one sentence each.
        facts: What the manifest of a store records of how inputs are prepared; JSON-able.
    """

    modalities: tuple[str, ...]
    dims: Mapping[str, int]
    fused: Mapping[str, tuple[str, ...]]
    preprocessing: Preprocessing
    prepare: Prepare
    shared_space: bool
    notes: tuple[str, ...]
    facts: Mapping[str, Any]

    def features(self, inputs: Mapping[str, Sequence[Any]]) -> Mapping[str, Tensor]:
        """Encode a batch of B items, within inference mode and the autocast of the precision.

        Args:
            inputs: Modality to B inputs: texts as `str`, media as `prepare` gave them.

        Returns:
            Every name of `dims` made of the given inputs to raw vectors [B, d], on any device and in any dtype.

        Raises:
            UserError: The inputs cannot be used.
        """


Build = Callable[["Source", EncoderOptions], Family]
"""What a row of the catalog of families points at."""
