"""Where two plans of a store differ, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gramcli.store.layout import MEDIA_FILES

if TYPE_CHECKING:
    from collections.abc import Mapping

_PLANNED: Final = ("model", "dataset", "modalities", "shard_size", "sources")
_COUNTED: Final = (".rows", ".present")  # the manifest adds these to each modality when the store is finished
_LONGEST_SHOWN: Final = 80  # characters of a value
_DIGEST: Final = 64  # characters of a sha256


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Say where two plans differ, in words.

    Args:
        old: The manifest on disk.
        new: `Plan.identity()`.

    Returns:
        One phrase per difference; digests are named, not shown.

    Example:
        >>> differences({"model": {"frames": 8}}, {"model": {"frames": 16}})
        ['model.frames was 8, now 16']
    """
    before, after = (_flat({key: plan[key] for key in _PLANNED if key in plan}) for plan in (old, new))
    before = {key: value for key, value in before.items() if not key.endswith(_COUNTED)}
    changed = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    return [_difference(key, before.get(key), after.get(key)) for key in changed]


def _difference(key: str, before: object, after: object) -> str:
    if key.startswith("sources."):
        hint = " (a path, size or modification time)" if key == f"sources.{MEDIA_FILES}" else ""
        return f"the {key.removeprefix('sources.')} changed{hint}"
    shown = ["none" if value is None else _short(str(value)) for value in (before, after)]
    if shown[0] == shown[1]:
        return f"{key} changed"
    return f"{key} was {shown[0]}, now {shown[1]}"


def _flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, inner in value.items():
        flat |= _flat(inner, f"{prefix}{key}.") if isinstance(inner, dict) else {prefix + key: inner}
    return flat


def _short(text: str) -> str:
    """A digest's first characters, the beginning of what is long; anything else as it is."""
    if len(text) == _DIGEST and " " not in text:
        return f"{text[:12]}..."
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 3]}..."
