"""Encoders: a catalog of model families, and the one function that turns a spec into an encoder.

A spec is `name` or `name:argument`. An encoder is one file here plus one row in `ENCODERS`; third parties add
rows through the entry-point group `gramcli.encoders`. A row's target is called with (argument, preprocessing).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gramcli.catalog import Catalog

if TYPE_CHECKING:
    from gramcli.encoders.base import Encoder, Preprocessing


@dataclass(frozen=True)
class EncoderRow:
    """One model family.

    Attributes:
        name: The part of a spec before the colon.
        target: `module:attribute` of a callable (argument, preprocessing) -> Encoder.
        modalities: What it can encode.
        summary: One line for help and docs.
        source: Where the method or the weights come from.
    """

    name: str
    target: str
    modalities: tuple[str, ...]
    summary: str
    source: str


ENCODERS: Final = Catalog(
    "encoder",
    (
        EncoderRow(
            "signal",
            target="gramcli.encoders.signal:SignalEncoder",
            modalities=("text", "video", "audio", "subtitle", "depth", "image"),
            summary="Hand-made statistics; no download, no training, no shared space: a baseline, not a good model.",
            source="built in",
        ),
    ),
    group="gramcli.encoders",
)


def load_encoder(spec: str, preprocessing: Preprocessing) -> Encoder:
    """Build the encoder a spec names.

    Args:
        spec: `name` or `name:argument`, for instance `signal`.
        preprocessing: How media will be decoded for it.

    Returns:
        The encoder.

    Raises:
        UserError: No encoder has that name, or it refuses the argument.
    """
    name, _, argument = spec.partition(":")
    build: Callable[[str, Preprocessing], Encoder] = ENCODERS.load(name)
    return build(argument, preprocessing)
