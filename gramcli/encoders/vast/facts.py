"""What the files of a checkpoint state about it: shapes, configuration, arch.json; and what had to be assumed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from os.path import commonprefix
from typing import Any, Final

from gramcli.encoders.vast.names import Shape
from gramcli.errors import UserError

LARGEST_COUNT: Final = 10**6
"""Beyond it a count in a configuration is a mistake."""
MOST_BANDS: Final = 126
"""Mel bands from 20 Hz to 8 kHz that Kaldi's filter bank, with its 512 points, agrees to."""
MOST_PATCHES: Final = 4096
"""Patches of a spectrogram slice; released models have 512."""
_NEEDED: Final = ("contra_head_t.linear.weight", "vision_encoder.", "audio_encoder.", "multimodal_encoder.")


class Facts:
    """What is known about a checkpoint, and what had to be assumed on the way.

    Attributes:
        shapes: Shape of every tensor, by its official name.
        config: The model's part of the training configuration.
        arch: What `arch.json` states.
        assumptions: One sentence for each guess.
    """

    def __init__(self, shapes: Mapping[str, Shape], config: Mapping[str, Any], arch: Mapping[str, Any]) -> None:
        self.shapes, self.config, self.arch = shapes, config, arch
        made = arch.get("assumptions", [])
        self.assumptions = [str(each) for each in made] if isinstance(made, list) else []

    def shape(self, name: str, axes: int) -> Shape:
        """The shape of a tensor that every model has.

        Raises:
            UserError: It is missing, or of another number of axes.
        """
        shape = self.shapes.get(name)
        if shape is None:
            raise UserError("checkpoint", f"The weights lack {name}; give a whole VAST-family model.")
        if len(shape) != axes or 0 in shape:
            raise UserError(
                "checkpoint", f"Tensor {name} is {list(shape)}, not of {axes} axes; the weights are damaged."
            )
        return shape

    def layers(self, pattern: str) -> int:
        """How many blocks the names of tensors number.

        Raises:
            UserError: None, or some are left out.
        """
        found = {int(match.group(1)) for key in self.shapes if (match := re.match(pattern, key))}
        if found != set(range(len(found))) or not found:
            raise UserError("checkpoint", f"The weights lack whole layers ({pattern}); copy the checkpoint again.")
        return len(found)

    def stated(self, section: str, name: str) -> Any:  # noqa: ANN401 - any JSON value
        """What arch.json says, or None."""
        part = self.arch.get(section, {})
        return part.get(name) if isinstance(part, Mapping) else None

    def agree(self, section: str, **held: object) -> None:
        """Refuse an arch.json that states something else than the weights, or than what the model computes.

        Raises:
            UserError: It does.
        """
        for name, value in held.items():
            stated = self.stated(section, name)
            if stated is not None and stated != value:
                raise UserError(
                    "checkpoint",
                    f"arch.json states {section}.{name} = {shortened(stated)}, but the model of these weights has "
                    f"{value}; give the arch.json that belongs to them.",
                )

    def integer(self, section: str, name: str, fallback: int | None = None) -> int | None:
        """A count that arch.json may state."""
        value = self.stated(section, name)
        return fallback if value is None else positive_count(f"{section}.{name} in arch.json", value)

    def eps(self, section: str, fallback: float, name: str = "layer_norm_eps") -> float:
        """The epsilon of a LayerNorm that arch.json may state."""
        value = self.stated(section, name)
        if value is None:
            return fallback
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
            raise UserError(
                "checkpoint", f"{section}.{name} in arch.json is {shortened(value)}; give a small number, as 1e-6."
            )
        return float(value)

    def length(self, name: str, fallback: int, section: str = "lengths", fact: str | None = None) -> int:
        """A length that the configuration states, or else arch.json, or else a usual one."""
        if name in self.config:
            return positive_count(f"{name} in the configuration", self.config[name])
        known = self.integer(section, fact or name)
        return known if known is not None else self.assume(fallback, f"{name} is {fallback}, as in the released models")

    def assume(self, value: int, what: str) -> int:
        """Note a guess, and return it."""
        self.assumptions.append(f"Assumed that {what}: neither the configuration nor an arch.json tells.")
        return value

    def heads(self, section: str, name: str, width: int, head_width: int | None) -> int:
        """Attention heads: as stated, or of the width that is usual for the tower, or of a guessed one.

        Raises:
            UserError: What arch.json states does not divide the width.
        """
        stated = self.integer(section, name)
        if stated is None and head_width and width % head_width == 0:
            stated = width // head_width
        if stated is None:
            guess = next(size for size in range(min(64, width), 0, -1) if width % size == 0)
            stated = self.assume(width // guess, f"the {section} tower of width {width} has heads of width {guess}")
        if width % stated:
            raise UserError(
                "checkpoint", f"{stated} heads do not divide the {section} tower's width {width}; mend arch.json."
            )
        return stated


def check_family(shapes: Mapping[str, Shape], stored: Mapping[str, str]) -> None:
    """Refuse weights that are of no VAST-family model.

    Args:
        shapes: Shape of every tensor, by its official name.
        stored: Names of the tensors as the files have them, where they are others.

    Raises:
        UserError: Parts that all have are missing; names what is there instead, as the files have it.
    """
    lacking = [part for part in _NEEDED if not any(key.startswith(part) for key in shapes)]
    if not lacking:
        return
    names = sorted(stored.get(name, name) for name in shapes)
    shared = commonprefix(names) if len(names) > 1 else ""  # noqa: RUF071 - of letters, not of paths
    strip = f" All names begin with '{shared}': if a wrapper put it there, save them without it." if shared else ""
    raise UserError(
        "checkpoint",
        f"These weights are of no VAST-family model: they lack {', '.join(lacking)} and hold "
        f"{', '.join(names[:3]) or 'nothing'} and the like.{strip} Give a checkpoint of VAST, GRAM, PMRL or TRIANGLE.",
    )


def positive_count(what: str, value: object, largest: int = LARGEST_COUNT) -> int:
    """Check a count that a configuration states.

    Raises:
        UserError: It is no whole number from 1 to `largest`.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= largest:
        raise UserError("checkpoint", f"{what} is {shortened(value)}; it has to be a whole number from 1 to {largest}.")
    return value


def check_slices(frames: int, bands: int, patch: int) -> None:
    """Check the spectrogram slices that a configuration asks for.

    Raises:
        UserError: They hold no patch, or more bands than the front end computes.
    """
    if min(frames, bands) < patch:
        raise UserError(
            "checkpoint",
            f"The configuration asks for slices of {frames} frames and {bands} mel bands, less than the audio tower's "
            f"patches of {patch}; give the configuration these weights were trained with.",
        )
    if (patches := (frames // patch) * (bands // patch)) > MOST_PATCHES:
        raise UserError(
            "checkpoint",
            f"The configuration asks for slices of {frames} frames and {bands} mel bands: {patches:,} patches, of at "
            f"most {MOST_PATCHES:,}, for memory grows with their square. Give the configuration these weights were "
            "trained with.",
        )
    if bands > MOST_BANDS:
        raise UserError(
            "checkpoint",
            f"The configuration asks for {bands} mel bands; gramcli computes at most {MOST_BANDS}, for narrower ones "
            "hold no frequency of a 25 ms window. Use a checkpoint with fewer.",
        )


def shortened(value: object) -> str:
    """A value from a file for a message, however long it is."""
    if isinstance(value, int) and abs(value) > LARGEST_COUNT**2:
        return "a number of very many digits"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
