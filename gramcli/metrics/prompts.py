"""Class names as texts, and the unit vector that stands for a class in zero-shot classification."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from gramcli.errors import UserError
from gramcli.media.text import read_lines

TextEncoder = Callable[[Sequence[str]], Any]
"""Texts -> one row each, [n, d], as a tensor or an array."""

GAP: Final = "{}"
TEMPLATES: Final[dict[str, tuple[str, ...]]] = {
    "plain": (GAP,),
    "photo": (
        "a photo of {}.",
        "a picture that shows {}.",
        "a close view of {}.",
        "{} seen from a distance.",
        "a dark, blurry photo of {}.",
        "one of many photos of {}.",
    ),
    "sound": (
        "the sound of {}.",
        "a recording of {}.",
        "{} can be heard.",
        "a noisy recording of {}.",
        "{} heard from a distance.",
    ),
    "video": (
        "a video of {}.",
        "a clip that shows {}.",
        "footage of {}.",
        "a shaky video of {}.",
        "a short film in which there is {}.",
    ),
}
"""Sets of prompt templates; `{}` is where the class name goes."""

_BATCH: Final = 64


def read_templates(named: str) -> tuple[str, ...]:
    """Return a built-in set of templates, or those of a file.

    Args:
        named: A key of `TEMPLATES`, or the path of a UTF-8 text file with one template a line; empty lines are passed
            over.

    Returns:
        Templates in order, at least one, each with `{}`.

    Raises:
        UserError: Neither, an unreadable or empty file, or a line without `{}`.

    Example:
        >>> read_templates("plain")
        ('{}',)
    """
    if named in TEMPLATES:
        return TEMPLATES[named]
    path = Path(named)
    if not path.exists():
        raise UserError("usage", f"--templates '{named}' is neither a file nor one of {', '.join(TEMPLATES)}.")
    lines = read_lines(path)
    for number, line in enumerate(lines, 1):
        if line.strip() and GAP not in line:
            raise UserError(
                "input", f"{path} line {number} has no {{}} where the class name goes: write 'a photo of {{}}'."
            )
    templates = tuple(line.strip() for line in lines if line.strip())
    if not templates:
        raise UserError("input", f"{path} holds no template; write one a line, such as 'a photo of {{}}'.")
    return templates


def class_vectors(encode: TextEncoder, classes: Sequence[str], templates: Sequence[str]) -> Tensor:
    """One unit vector a class: the renormalised mean of its prompts' unit vectors.

    The ensemble of CLIP (Radford et al., arXiv:2103.00020, section 3.1.4), in this order: normalise each prompt, mean,
    normalise. Averaging first weighs prompts by their norms; averaging scores instead of vectors gives the same order
    for the cosine only, not for a volume. The mean is one vector, whatever the method that scores it.

    Args:
        encode: The model's text encoder.
        classes: C class names.
        templates: Templates with `{}`, which every `{}` is replaced in.

    Returns:
        Shape [C, d], float64, rows of unit length.

    Raises:
        UserError: A prompt's vector is zero or not finite, or a class's prompts cancel.
    """
    prompts = [template.replace(GAP, name) for name in classes for template in templates]
    batches = [encode(prompts[start : start + _BATCH]) for start in range(0, len(prompts), _BATCH)]
    rows = torch.cat([torch.as_tensor(batch).double().cpu() for batch in batches])
    mean = _unit(rows, prompts).reshape(len(classes), len(templates), -1).mean(dim=1)
    return _unit(mean, [f"{name}' over all templates, '{templates[0]}" for name in classes])


def _unit(rows: Tensor, texts: Sequence[str]) -> Tensor:
    norms = rows.norm(dim=1, keepdim=True)
    bad = (~norms.isfinite() | (norms <= 1e-12)).flatten().nonzero().flatten()
    if len(bad):
        raise UserError(
            "embedding", f"The model gives '{texts[int(bad[0])]}' no direction: its vector is 0 or not finite."
        )
    unit: Tensor = rows / norms
    return unit
