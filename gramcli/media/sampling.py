"""Which frames of a clip stand for it: pure functions from a frame count to indices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gramcli.catalog import did_you_mean
from gramcli.errors import UserError

FrameRule = Callable[[int, int], list[int]]


def middle_of_segment(total: int, n: int) -> list[int]:
    """Pick the middle frame of each of `n` nearly equal runs of frames (the rule of VAST, GRAM and PMRL).

    The indices 0..total-1 are cut into n consecutive runs, the longer ones first; a run of length L
    gives its element (L + 1) // 2 - 1, the lower middle.

    Args:
        total: Frames in the clip, at least 1.
        n: Frames wanted, at least 1.

    Returns:
        n indices in ascending order; all different when total >= n.

    Raises:
        UserError: total or n is below 1.

    Note:
        A clip with fewer than n frames gives every frame once and then repeats its last one, as
        PMRL's code does; GRAM's code gives such clips up.

    Example:
        >>> middle_of_segment(10, 4)
        [1, 4, 6, 8]
        >>> middle_of_segment(2, 4)
        [0, 1, 1, 1]

    Source: arXiv:2412.11959 (GRAM), arXiv:2507.17343 (PMRL), the frame choice of their data loaders.
    """
    _check(total, n)
    if total < n:
        return [min(index, total - 1) for index in range(n)]
    length, longer = divmod(total, n)
    picks, start = [], 0
    for run in range(n):
        size = length + (run < longer)
        picks.append(start + (size + 1) // 2 - 1)
        start += size
    return picks


def uniform(total: int, n: int) -> list[int]:
    """Pick `n` frames evenly from the first to the last, both included, rounded half up.

    Args:
        total: Frames in the clip, at least 1.
        n: Frames wanted, at least 1; a single one is the (lower) middle frame.

    Returns:
        n indices in ascending order; frames repeat evenly when total < n.

    Raises:
        UserError: total or n is below 1.

    Example:
        >>> uniform(10, 4)
        [0, 3, 6, 9]
    """
    _check(total, n)
    if n == 1:
        return [(total - 1) // 2]
    steps = 2 * (n - 1)
    return [(2 * index * (total - 1) + n - 1) // steps for index in range(n)]


def uniform_floor(total: int, n: int) -> list[int]:
    """Pick `n` frames evenly from the first to the last, both included, rounded down (the rule of PE-AV).

    Args:
        total: Frames in the clip, at least 1.
        n: Frames wanted, at least 1; a single one is the first.

    Returns:
        n indices in ascending order; frames repeat when total < n.

    Raises:
        UserError: total or n is below 1.

    Example:
        >>> uniform_floor(10, 4)
        [0, 3, 6, 9]
        >>> uniform_floor(8, 4)
        [0, 2, 4, 7]

    Source: facebookresearch/perception_models, the video transform of PE-AV.
    """
    _check(total, n)
    return [index * (total - 1) // max(n - 1, 1) for index in range(n)]


def all_up_to(total: int, n: int) -> list[int]:
    """Pick every frame of a clip of at most `n`; of a longer one `n` evenly spaced, as `uniform_floor` does.

    For models that see all frames, on clips that may be hours long.

    Args:
        total: Frames in the clip, at least 1.
        n: Most frames wanted, at least 1.

    Returns:
        min(n, total) indices in ascending order, all different.

    Raises:
        UserError: total or n is below 1.

    Example:
        >>> all_up_to(3, 4)
        [0, 1, 2]
    """
    _check(total, n)
    return uniform_floor(total, min(n, total))


FRAME_RULES: Final[dict[str, FrameRule]] = {
    "middle-of-segment": middle_of_segment,
    "uniform": uniform,
    "uniform-floor": uniform_floor,
    "all-up-to": all_up_to,
}


def frame_rule(name: str) -> FrameRule:
    """Return the rule called `name`.

    Raises:
        UserError: No rule has that name.

    Example:
        >>> frame_rule("uniform")(3, 3)
        [0, 1, 2]
    """
    if name not in FRAME_RULES:
        hint = did_you_mean(name, list(FRAME_RULES))
        raise UserError("usage", f"Unknown frame rule '{name}'.{hint} Known: {', '.join(FRAME_RULES)}.")
    return FRAME_RULES[name]


def _check(total: int, n: int) -> None:
    if n < 1:
        raise UserError("usage", f"Frame sampling needs at least 1 frame; got {n}. Ask for 1 or more.")
    if total < 1:
        raise UserError("media", f"Frame sampling needs a clip of at least 1 frame; got {total}.")
