"""What one packet of a video says before it is decoded."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Facts:
    """One packet: a frame as it is stored.

    Attributes:
        pts: When its frame is shown, in the track's time base; None when the file does not say.
        duration: For how long, 0 when unknown.
        keyframe: Whether decoding may start here.
        hidden: Decoded but never shown, as an edit list says.
        backward: Whether its frame is shown before one stored earlier, by its content; None when that does not tell.
        lacking: Whether the container knows that bytes of it are lost.
    """

    pts: int | None
    duration: int
    keyframe: bool
    hidden: bool
    backward: bool | None = None
    lacking: bool = False
