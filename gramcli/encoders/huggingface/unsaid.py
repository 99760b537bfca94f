"""What the libraries accept without a word, and vectors are wrong: layers left out, a tokenizer made of no file."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from gramcli.errors import UserError

_NUMBER: Final = re.compile(r"\.(?:(\d+)|\{[^}]*?(\d+)\})(?=\.)")


def refuse_further_layers(model: Any, unplaced: Iterable[str], where: str) -> None:  # noqa: ANN401 - a model of transformers
    """Refuse a configuration with fewer layers than the weights: the library leaves out the last ones.

    Args:
        model: The loaded model.
        unplaced: Names of tensors that it has no place for, layers alike as transformers reports them:
            `encoder.layer.{2, 3}.output.dense.weight`.
        where: The folder, for messages.

    Raises:
        UserError: Some of them are of a layer behind the last one of the model.
    """
    lengths = {name: len(module) for name, module in model.named_modules() if type(module).__name__ == "ModuleList"}
    before = f"{getattr(model, 'base_model_prefix', '') or ' '}."
    for key in unplaced:
        name = key.removeprefix(before)
        for found in _NUMBER.finditer(name):
            there = lengths.get(name[: found.start()])
            if there is not None and (highest := int(found[1] or found[2])) >= there:
                raise UserError(
                    "checkpoint",
                    f"{where}: the weights have a {name[: found.start()]}.{highest}, but config.json describes {there} "
                    "layers there: they are not of the same model. Download the model again; if it is meant to be "
                    "shorter, load and save it once with transformers (save_pretrained).",
                )


def refuse_empty_vocabulary(tokenizer: Any, folder: Path) -> None:  # noqa: ANN401 - a tokenizer of transformers
    """Refuse a tokenizer that needs files and had none: the library makes one of a few words, and warns of nothing.

    Args:
        tokenizer: The loaded tokenizer.
        folder: What it was loaded from.

    Raises:
        UserError: None of the files that its class reads is there; one of bytes or letters reads none.
    """
    names = list((getattr(tokenizer, "vocab_files_names", None) or {}).values())
    if names and not any((folder / name).is_file() for name in names):
        raise UserError(
            "checkpoint",
            f"{folder} has no tokenizer ({' or '.join(names)}), so texts cannot be encoded. Download the whole model.",
        )
