"""Families of models that `hf:` knows, by the model_type of config.json; plain rows, nothing heavy is imported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from gramcli.encoders.huggingface.family import Build


@dataclass(frozen=True)
class FamilyRow:
    """One family.

    Attributes:
        name: What people call it.
        model_types: Of config.json.
        target: `module:attribute` of a `Build`.
        modalities: What it takes.
        source: Where the method comes from.
    """

    name: str
    model_types: tuple[str, ...]
    target: str
    modalities: tuple[str, ...]
    source: str


_PICTURES: Final = "gramcli.encoders.huggingface.pictures:build"
_PERCEPTION: Final = "gramcli.encoders.huggingface.pe_av:build"
_CLIPS: Final = "gramcli.encoders.huggingface.clips:build"
_SEEN: Final = ("text", "video", "image", "subtitle")

FAMILIES: Final = (
    FamilyRow("CLIP", ("clip",), _PICTURES, _SEEN, "arXiv:2103.00020"),
    FamilyRow("SigLIP and SigLIP 2", ("siglip", "siglip2"), _PICTURES, _SEEN, "arXiv:2303.15343, arXiv:2502.14786"),
    FamilyRow("MetaCLIP 2", ("metaclip_2",), _PICTURES, _SEEN, "arXiv:2507.22062"),
    FamilyRow("X-CLIP", ("xclip",), _CLIPS, ("text", "video", "subtitle"), "arXiv:2208.02816"),
    FamilyRow("VideoPrism LvT", ("videoprism",), _CLIPS, ("text", "video", "subtitle"), "arXiv:2402.13217"),
    FamilyRow(
        "CLAP",
        ("clap",),
        "gramcli.encoders.huggingface.clap:build",
        ("text", "audio", "subtitle"),
        "arXiv:2211.06687",
    ),
    FamilyRow("PE-AV", ("pe_audio_video",), _PERCEPTION, ("text", "video", "audio"), "arXiv:2512.19687"),
    FamilyRow("PE-AV's sound alone", ("pe_audio",), _PERCEPTION, ("text", "audio"), "arXiv:2512.19687"),
    FamilyRow("PE-AV's video alone", ("pe_video",), _PERCEPTION, ("text", "video"), "arXiv:2512.19687"),
)

OTHERS: Final = FamilyRow(
    "other dual encoders", (), _PICTURES, _SEEN, "whatever transformers calls get_text_features and get_image_features"
)
"""Any class of transformers whose texts and pictures share a space: ALIGN, AltCLIP, Chinese CLIP and their like."""


def family_of(config: Mapping[str, Any]) -> FamilyRow | None:
    """Return the row of a config.json, None where its model_type is none of the table's."""
    kind = config.get("model_type")
    return next((row for row in FAMILIES if kind in row.model_types), None)


def known_types() -> str:
    """All model types of the table, for messages."""
    return ", ".join(kind for row in FAMILIES for kind in row.model_types)


def build_of(row: FamilyRow) -> Build:
    """Import what a row points at."""
    from gramcli.catalog import resolve  # noqa: PLC0415 - only a model that is loaded needs it

    build: Build = resolve(row.target)
    return build
