"""What a spec of an encoder says by its form, before anything is loaded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from gramcli.errors import UserError
from gramcli.modalities import LETTERS

_PART: Final = re.compile(rf"(?:\A|,)({'|'.join(LETTERS.values())})=")
_OWN: Final = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):([A-Za-z_]\w*)", re.ASCII)


def is_composite(spec: str) -> bool:
    """Whether a spec names an encoder for each modality.

    Example:
        >>> is_composite("text=st:org/a,video=signal"), is_composite("st:org/a=b")
        (True, False)
    """
    return _PART.match(spec) is not None


def parts_of(spec: str) -> Mapping[str, str]:
    """Take a composite spec apart; a comma parts two only where a modality follows it.

    Raises:
        UserError: A modality is named twice, or no encoder is named for one.

    Example:
        >>> parts_of("text=st:a,b:truncate_dim=64,video=signal")
        {'text': 'st:a,b:truncate_dim=64', 'video': 'signal'}
    """
    found: dict[str, str] = {}
    places = [*_PART.finditer(spec)]
    for place, after in zip(places, [*places[1:], None], strict=True):
        name, part = place[1], spec[place.end() : after.start() if after else len(spec)].strip()
        if name in found:
            raise UserError("usage", f"Model '{spec}' names an encoder for {name} twice: leave one out.")
        if not part:
            raise UserError("usage", f"Model '{spec}' names no encoder for {name}: write {name}=signal, for instance.")
        found[name] = part
    return found


def own_code(spec: str) -> tuple[str, str] | None:
    """The module and the function of a spec that names one's own code, by its form; None of any other spec.

    Example:
        >>> own_code("my_package.models:make"), own_code("st:org/model"), own_code("signal")
        (('my_package.models', 'make'), None, None)
    """
    found = _OWN.fullmatch(spec)
    return (found[1], found[2]) if found else None


def runs_code(spec: str) -> bool:
    """Whether a spec could have code imported that gramcli does not know: module:function, alone or as a part.

    Example:
        >>> runs_code("my_models:make"), runs_code("text=my_models:make,video=signal"), runs_code("st:org/model")
        (True, True, False)
    """
    from gramcli.encoders import ENCODERS  # noqa: PLC0415 - it reads specs through us

    parts = parts_of(spec).values() if is_composite(spec) else [spec]
    return any(own is not None and own[0] not in ENCODERS.names() for own in map(own_code, parts))
