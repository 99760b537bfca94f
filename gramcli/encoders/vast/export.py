"""Rewrite a checkpoint as one safetensors file that describes itself."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from gramcli.encoders.vast.agreement import understand
from gramcli.encoders.vast.architecture import Architecture
from gramcli.encoders.vast.layout import METADATA_KEY, Found, find_checkpoint
from gramcli.encoders.vast.names import Shape, tied_name
from gramcli.encoders.vast.sampling import sampling_assumptions
from gramcli.encoders.vast.tensors import WeightFiles, dtype_counts, file_sha256
from gramcli.errors import UserError
from gramcli.files.writing import replacing
from gramcli.results.runs import Exported

_NAMES: Final = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64",
    torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL",
}  # fmt: skip
_WINDOW: Final = 2**26


def export_safetensors(
    checkpoint: Path,
    output: Path,
    *,
    half: bool = False,
    step: int | None = None,
    config: Path | None = None,
    allow_pickle: bool = False,
) -> Exported:
    """Write a checkpoint as one safetensors file, with its configuration and architecture inside.

    The file can be read without the folder it came from, is loaded without unpickling anything, and stores tied
    tensors once. Values are kept as they are, or rounded to float16.

    Args:
        checkpoint: A checkpoint folder or weight file.
        output: The file to write, named `.safetensors`; an older one is replaced once the new one is complete.
        half: Whether to store float16: half the size on disk and in memory.
        step: Training step wanted; None takes the largest.
        config: Configuration to use instead of the one beside the weights.
        allow_pickle: Whether the weight file may run code of its own.

    Returns:
        What was written.

    Raises:
        UserError: The checkpoint cannot be read, is of no VAST-family model, or does not fit into float16; or the
            output cannot be written.
    """
    if output.suffix != ".safetensors":
        raise UserError("usage", f"{output} has to end in .safetensors; name the output so.")
    found = find_checkpoint(checkpoint, step, config)
    if output.exists() and any(output.samefile(path) for path in found.weights):
        raise UserError("usage", f"{output} is the checkpoint itself; name another output.")
    files = WeightFiles(found.weights, allow_pickle=allow_pickle)
    # float64 first and bytes last, so that every tensor starts at a multiple of its numbers' size.
    names = sorted(
        dict.fromkeys(tied_name(key) for key in files.shapes),
        key=lambda name: (-_stored(files, name, half)[1].itemsize, name),
    )
    architecture, assumptions = understand(files, found)
    header = _header(names, files, half, _description(found, architecture, assumptions))
    _write(output, header, _bytes(names, files, half))
    return Exported(
        path=output,
        tensors=len(names),
        bytes_before=sum(path.stat().st_size for path in found.weights),
        bytes_after=output.stat().st_size,
        sha256=file_sha256(output),
        dtypes=dtype_counts(_stored(files, name, half)[1] for name in names),
        half=half,
        notes=(*files.remarks, *assumptions, *sampling_assumptions(found.config)),
    )


def architecture_facts(architecture: Architecture, assumptions: tuple[str, ...] = ()) -> dict[str, Any]:
    """State what the shapes of tensors do not tell, as an `arch.json` does."""
    a = architecture
    return {
        "model_type": a.family,
        "vision": {"heads": a.vision.heads, "layer_norm_eps": a.vision.layer_norm_eps},
        "audio": {
            "max_distance": a.audio.max_distance,
            "layer_norm_eps": a.audio.layer_norm_eps,
            "melbins": a.audio.mel_bins,
            "target_length": a.audio.target_length,
        },
        "text": {"num_attention_heads": a.text.heads, "layer_norm_eps": a.text.layer_norm_eps},
        "heads": {"itm_layer_norm_eps": a.match_eps, "hidden_trans_layer_norm_eps": a.condition_eps},
        "lengths": {"max_caption_len": a.caption_length, "max_subtitle_len": a.subtitle_length},
        "assumptions": list(assumptions),
    }


def _description(found: Found, architecture: Architecture, assumptions: tuple[str, ...]) -> dict[str, Any]:
    return {
        "format": 1,
        "family": architecture.family,
        "config": dict(found.config),
        "arch": architecture_facts(architecture, assumptions),
        "step": found.step,
        "source_sha256": {path.name: file_sha256(path) for path in found.weights},
    }


def _stored(files: WeightFiles, name: str, half: bool) -> tuple[Shape, torch.dtype]:
    key = name if name in files.shapes else next(key for key in files.shapes if tied_name(key) == name)
    dtype = files.dtypes[key]
    if dtype not in _NAMES:
        raise UserError("checkpoint", f"Tensor {key} is {dtype}, which is not exported; save it as float32.")
    return files.shapes[key], torch.float16 if half and dtype.is_floating_point else dtype


def _header(names: list[str], files: WeightFiles, half: bool, description: Mapping[str, Any]) -> bytes:
    """Compose a safetensors header: the place of every tensor, and our description as metadata."""
    entries: dict[str, Any] = {"__metadata__": {"format": "pt", METADATA_KEY: json.dumps(description)}}
    start = 0
    for name in names:
        if name in entries or not name.isprintable():
            raise UserError(
                "checkpoint", f"{name!r} cannot be a name in a safetensors file; save the weights without this tensor."
            )
        shape, dtype = _stored(files, name, half)
        stop = start + prod(shape) * dtype.itemsize
        entries[name] = {"dtype": _NAMES[dtype], "shape": list(shape), "data_offsets": [start, stop]}
        start = stop
    text = json.dumps(entries).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _bytes(names: list[str], files: WeightFiles, half: bool) -> Iterator[memoryview]:
    """Give the values of tensors one by one, without keeping the files that were read in memory."""
    read = 0
    for name in names:
        tensor = files.read(name).to(_stored(files, name, half)[1])
        if half and tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise UserError(
                "checkpoint", f"Tensor {name} holds values that float16 cannot, or that are not finite; drop --half."
            )
        yield _raw(tensor)
        read += tensor.numel() * tensor.element_size()
        del tensor
        if read > _WINDOW:
            files.release()
            read = 0


def _raw(tensor: Tensor) -> memoryview:
    return tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data


def _write(output: Path, header: bytes, pieces: Iterator[memoryview]) -> None:
    """Write a file whole or not at all."""
    try:
        with replacing(output) as file:
            file.write(header)
            for piece in pieces:
                file.write(piece)
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        hint = "Make the folder first." if missing else "Free some space or name another."
        raise UserError("failed", f"{output} cannot be written ({error.strerror or error}). {hint}") from error
