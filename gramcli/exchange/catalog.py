"""The formats that `gram import` reads: plain rows, tried in this order where none is named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gramcli.catalog import Catalog


@dataclass(frozen=True)
class FormatRow:
    """One format.

    Attributes:
        name: What `--from` calls it.
        target: `module:attribute` of a reader (operands) -> Recognised, or None where the files are of another format.
        summary: What is in the files, for help and docs.
        recognised: What it is told by.
        source: Which tools write it.
        needs: The package that reads it; empty where none is needed but what gramcli installs.
    """

    name: str
    target: str
    summary: str
    recognised: str
    source: str
    needs: str = ""


FORMATS: Final = Catalog(
    "format",
    (
        FormatRow(
            "gram",
            target="gramcli.exchange.stored_arrays:read_gram",
            summary="Features of GRAM's, VAST's or PMRL's evaluation: feat_t, feat_v, feat_a, ids, ids_txt.",
            recognised="keys feat_t, feat_v, ... in .pt, .npz, .safetensors",
            source="GRAM, VAST, PMRL",
        ),
        FormatRow(
            "arrays",
            target="gramcli.exchange.stored_arrays:read_arrays",
            summary="One array [n, d] or [n, T, d] for each modality, or one array for each item.",
            recognised=".npy, .npz, .safetensors, .pt by their first bytes",
            source="numpy, safetensors, torch, sentence-transformers",
        ),
        FormatRow(
            "pickle",
            target="gramcli.exchange.pickles:read_pickle",
            summary="{id: array}, {split: {vision, audio, text, id, ...}}, {expert: {pooling: {id: array}}}.",
            recognised="a pickle, looked through before it is read; code in it is refused",
            source="MMSA, MultiBench, MulT, MMT, CE, UniVL, VLM2Vec",
        ),
        FormatRow(
            "folder",
            target="gramcli.exchange.folder:read_folder",
            summary="One .npy file for each item: ID.npy or ID_KEY.npy, [d] or [T, d].",
            recognised="a folder with .npy files",
            source="video_features, HowTo100M, clip-video-encode",
        ),
    ),
    group="gramcli.formats",
)
