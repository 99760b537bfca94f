"""The parts of a user's own encoder that may be left out: what each must be, where it is there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gramcli.modalities import LETTERS

if TYPE_CHECKING:
    from gramcli.encoders.base import Preprocessing

_CHANNELS: Final = ("mean", "first")
_HIGHEST_RATE: Final = 384_000


def is_whole(value: object) -> bool:
    """Whether a value is a whole number from 1, of Python or of NumPy.

    Example:
        >>> is_whole(np.int64(3)), is_whole(3.0), is_whole(True), is_whole(0)
        (True, False, False, False)
    """
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and int(value) >= 1


def names_of(given: Any) -> tuple[str, ...]:  # noqa: ANN401 - whatever the user gives
    """Read names of modalities.

    Raises:
        TypeError: It is one text, or something without names in it.
    """
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise TypeError("several names were due, such as ('text', 'video')")
    return tuple(given)


def fused_of(given: Any, dims: Mapping[str, int]) -> dict[str, tuple[str, ...]]:  # noqa: ANN401 - as above
    """Read which embeddings are made of several inputs.

    Raises:
        TypeError: It is no dict of names.
        ValueError: An embedding has no dimension, or is made of what is no modality.
    """
    if given is not None and not isinstance(given, Mapping):
        raise TypeError("a dict was due, such as {'va': ('video', 'audio')}")
    found = {name: names_of(made_of) for name, made_of in (given or {}).items()}
    for name, made_of in found.items():
        if name not in dims:
            raise ValueError(f"dims give '{name}' no dimension")
        if unknown := [one for one in made_of if one not in LETTERS.values()]:
            raise ValueError(f"'{unknown[0]}' is none of {', '.join(LETTERS.values())}")
        if len(made_of) < 2:
            raise ValueError(f"'{name}' is made of several modalities")
    return found


def notes_of(given: Any) -> tuple[str, ...]:  # noqa: ANN401 - as above
    """Read sentences; one alone is one.

    Raises:
        TypeError: It is no text and none are in it.
    """
    return tuple(map(str, (given,) if isinstance(given, str) else given or ()))


def stand_ins_of(given: Any) -> dict[str, Any]:  # noqa: ANN401 - as above
    """Read what stands for absent inputs.

    Raises:
        TypeError: It is no dict.
    """
    if given is not None and not isinstance(given, Mapping):
        raise TypeError("a dict from modalities to prepared inputs was due")
    return dict(given or {})


def no_json(found: Mapping[str, Any]) -> str:
    """Why a description cannot be recorded; empty where it can."""
    try:
        json.dumps(dict(found), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        return str(error)
    return ""


def wrong_with(given: Preprocessing) -> str:
    """What no decoder could do; empty where all is well."""
    from gramcli.media.sampling import FRAME_RULES  # noqa: PLC0415 - media load where they are decoded

    if not is_whole(given.frames):
        return f"frames {given.frames!r}, where a whole number from 1 was due"
    if given.frame_rule not in FRAME_RULES:
        return f"the frame_rule {given.frame_rule!r}, none of {', '.join(FRAME_RULES)}"
    rate = given.sample_rate
    if rate is not None and not (is_whole(rate) and rate <= _HIGHEST_RATE):
        return f"the sample_rate {rate!r}, where a whole number from 1 to {_HIGHEST_RATE} or None was due"
    return "" if given.channels in _CHANNELS else f"the channels {given.channels!r}, none of {', '.join(_CHANNELS)}"
