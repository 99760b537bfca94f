"""Times as people write them: a number with its unit."""

from __future__ import annotations

import re
from typing import Final

from gramcli.errors import UserError

_SECONDS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}
_LONGEST: Final = 500 * 3600  # seconds; the system's own clocks for waiting end at 596 hours
_SHOWN: Final = 40


def seconds_from(text: str | float, option: str = "timeout") -> float:
    """Read a time: a number with the unit ms, s, m or h; none means seconds.

    Raises:
        UserError: It is no such time, not above 0, or longer than 500 hours.

    Example:
        >>> seconds_from("90s"), seconds_from("1.5m"), seconds_from(20)
        (90.0, 90.0, 20.0)
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h)?", str(text).strip())
    seconds = float(found[1]) * _SECONDS[found[2] or "s"] if found else 0.0
    if seconds <= 0:
        raise UserError("usage", f"{option} '{text}' is not a time above 0; write 60s, 2m or 1h.")
    if seconds > _LONGEST:
        raise UserError("usage", f"{option} must be at most {_LONGEST // 3600}h; got '{str(text)[:_SHOWN]}'.")
    return seconds
