"""A folder of heads on disk: `heads.safetensors`, and `heads.json`, which says what they are and what they saw."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from gramcli.errors import UserError, refuse_pointer
from gramcli.files.reading import LARGE, read_regular
from gramcli.files.writing import disk_errors, make_folder, write_atomic
from gramcli.heads.model import Heads
from gramcli.heads.record import record_of
from gramcli.heads.remarks import outcome_of
from gramcli.heads.schema import HeadsFile, check_curves
from gramcli.heads.unfinished import STATE
from gramcli.results.documents import dump_json
from gramcli.results.schema import Source, checked, parse_json

WEIGHTS: Final = "heads.safetensors"
CONFIG: Final = "heads.json"
PREFIX: Final = "heads:"
FORMAT: Final = 1
_LARGEST_HEADER: Final = 2**20  # bytes of what safetensors says of the tensors
_ANEW: Final = "gram align --overwrite"


@dataclass(frozen=True)
class SavedHeads:
    """Heads with what is known of them.

    Attributes:
        path: Their folder.
        heads: The heads.
        sha256: Of the weights.
        config: What heads.json says: `plan`, `model` (the base), `dataset`, `trained`, `selected`, `best`.
    """

    path: Path
    heads: Heads
    sha256: str
    config: Mapping[str, Any] = field(repr=False)

    def describe(self) -> dict[str, Any]:
        """The `model` of a store that these heads made from one of their base model."""
        base, shape = self.config["model"], f"{self.heads.hidden or 'no'} hidden, {self.heads.dim} dimensions"
        return {
            "id": f"{base.get('id')} + {self.config['plan']['loss']} heads",
            "architecture": f"{base.get('architecture')}; heads: {shape}",
            "weights_sha256": base.get("weights_sha256"),
            "preprocessing": base.get("preprocessing"),
            "shared_space": True,
            "heads": {
                "sha256": self.sha256,
                "loss": self.config["plan"]["loss"],
                "dataset": self.config["dataset"].get("id"),
                "trained": list(self.config["trained"]),
                "selected": list(self.config["selected"]),
                "training": outcome_of(self.config),
                "record": record_of(self.config),
            },
        }


def save_heads(path: Path, heads: Heads, config: Mapping[str, Any]) -> None:
    """Write heads; the configuration comes last, so that a folder with it is whole.

    Raises:
        UserError: The folder cannot be written.
    """
    data = save({name: one.detach().cpu().contiguous() for name, one in heads.tensors.items()})
    facts = {
        "format": FORMAT,
        "weights_sha256": hashlib.sha256(data).hexdigest(),
        "dims": dict(heads.dims),
        "dim": heads.dim,
        "hidden": heads.hidden,
    }
    with disk_errors(path):
        make_folder(path)
        write_atomic(path / WEIGHTS, data)
        document = {**facts, **config}
        write_atomic(path / CONFIG, dump_json({**document, "content_sha256": _digest(document)}).encode())


def load_heads(spec: str | Path) -> SavedHeads:
    """Read the heads `gram align` wrote.

    Args:
        spec: The folder, with `heads:` before it or without.

    Raises:
        UserError: No heads are there, they are not finished, of a newer format, or the files do not fit each other.
    """
    text = str(spec).removeprefix(PREFIX)
    if not text:
        raise UserError("usage", "heads: needs the folder that gram align wrote, heads:DIR.")
    path = Path(text)
    if not (path / CONFIG).is_file():
        what = (
            "is not finished: run the gram align that began it again, it resumes"
            if path.is_dir() and (path / STATE).exists()
            else "holds no heads. Train some with: gram align STORE -o HEADS --loss gram"
        )
        raise UserError("input", f"{path} {what}.")
    config = _read_config(path)
    try:
        data = read_regular(path / WEIGHTS, _largest(config))
        tensors = load(data)
    except (KeyError, TypeError, ValueError, OSError, SafetensorError) as error:
        refuse_pointer(path / WEIGHTS, "input")
        raise _damaged(path, str(error) or type(error).__name__) from error
    sha256 = hashlib.sha256(data).hexdigest()
    heads = Heads(dict(config["dims"]), config["dim"], config["hidden"], tensors)
    if sha256 != config.get("weights_sha256"):
        raise _damaged(path, f"{WEIGHTS} is not the file that was written")
    _check_shapes(path, heads)
    return SavedHeads(path, heads, sha256, config)


def _largest(config: Mapping[str, Any]) -> int:
    """Bytes that the weights may have by what heads.json says of their sizes."""
    dim, hidden = config["dim"], config["hidden"]
    first = hidden or dim
    numbers = sum(d * (2 + first) + first + (dim * (hidden + 1) if hidden else 0) for d in config["dims"].values())
    return min(LARGE, _LARGEST_HEADER + int(numbers) * 4)


def _read_config(path: Path) -> dict[str, Any]:
    """What heads.json says, checked.

    Raises:
        UserError: It is damaged, or of a newer format.
    """
    source = Source(path / CONFIG, "input", f"The heads of {path} are damaged: train them again, {_ANEW}.")
    try:
        config = parse_json(read_regular(path / CONFIG), source)
    except OSError as error:
        raise source.wrong(f" cannot be read ({error.strerror})") from error
    written = config.get("format") if isinstance(config, dict) else None
    if isinstance(written, int) and written > FORMAT:
        raise UserError("input", f"{path / CONFIG} has format {written}; this gram reads {FORMAT}. Upgrade it.")
    check_curves(checked(config, HeadsFile, source), source)
    found: dict[str, Any] = config
    sealed = found.pop("content_sha256", None)  # older versions wrote none
    if sealed is not None and sealed != _digest(found):
        raise source.wrong(" was changed after gram wrote it")
    return found


def _digest(config: Mapping[str, Any]) -> str:
    return hashlib.sha256(dump_json(config).encode()).hexdigest()


def _check_shapes(path: Path, heads: Heads) -> None:
    for modality, d in heads.dims.items():
        first = heads.hidden or heads.dim
        wanted = {"mean": (d,), "scale": (d,), "weight0": (first, d), "bias0": (first,)}
        if heads.hidden:
            wanted |= {"weight1": (heads.dim, heads.hidden), "bias1": (heads.dim,)}
        for key, shape in wanted.items():
            found = heads.tensors.get(f"{modality}/{key}")
            if found is None or tuple(found.shape) != shape or found.dtype != torch.float32:
                raise _damaged(path, f"'{modality}/{key}' is not a finite {list(shape)} tensor")
            if not bool(torch.isfinite(found).all()) or (key == "scale" and not bool((found > 0).all())):
                raise _damaged(path, f"'{modality}/{key}' is not a finite {list(shape)} tensor")


def _damaged(path: Path, why: str) -> UserError:
    return UserError("input", f"The heads of {path} are damaged ({why}). Train them again: {_ANEW}.")
