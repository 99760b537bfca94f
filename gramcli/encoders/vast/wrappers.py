"""What wrappers and trainers put around a model's weights: entries that hold them, and segments of their names.

All of it is told by the model's own names: whatever stands before the first of them was put there by somebody else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from torch import Tensor

from gramcli.encoders.vast.names import Shape, renamed
from gramcli.errors import UserError

Key = tuple[str, ...]
"""Where a tensor lies in a file: the entries that lead to it, the last of which is its own name."""

# The first segments of a VAST-family model's names, and the parts without which there is none.
_OWN: Final = re.compile(
    r"(?:vision|audio|subtitle|depth)_(?:encoder|perceiver|frame_embedding|type_embeddings)|multimodal_encoder"
    r"|contra_(?:temp|head_\w+)|itm_head|hidden_trans_\w+"
)
_NEEDED: Final = frozenset({"contra_head_t", "vision_encoder", "audio_encoder", "multimodal_encoder"})
_AVERAGED: Final = re.compile(r"(?:^|_)(?:ema|swa|shadow|averaged?_model|model_averaged?)(?:_|$)", re.IGNORECASE)
# Entries that hold other things of the size of weights: moments, gradients, what schedulers and samplers remember.
_NO_WEIGHTS: Final = re.compile(
    r"(?:^|_)(?:opt|optim|optimizers?|sched|schedulers?|lr_schedulers?|scaler|rng|exp_avg|momentum|moments?|grads?"
    r"|gradients?)(?:_|$)",
    re.IGNORECASE,
)
_MOMENTS: Final = ("exp_avg", "exp_avg_sq", "momentum_buffer")
_FLATTENED: Final = ("flat_param", "_flat_param")
_DEEPEST: Final = 12


def tensors_in(payload: object) -> dict[Key, Tensor]:
    """Find the tensors of what a file holds, mappings within mappings; states of optimizers are left out.

    Args:
        payload: What was unpickled; anything.

    Returns:
        The tensors in the order of the file. One mapping under two keys is found once.
    """
    found: dict[Key, Tensor] = {}
    if isinstance(payload, Mapping):
        _collect(payload, (), found, set())
    return found


def _collect(value: object, key: Key, found: dict[Key, Tensor], seen: set[int]) -> None:
    if isinstance(value, Tensor) and not value.is_nested:
        found[key] = value
    if id(value) in seen or len(key) > _DEEPEST:
        return
    if isinstance(value, Mapping) and not _is_of_an_optimizer(value):
        seen.add(id(value))
        for name, inner in value.items():
            if isinstance(name, str) and (isinstance(inner, Tensor) or not _NO_WEIGHTS.search(name)):
                _collect(inner, (*key, name), found, seen)
    elif isinstance(value, list | tuple) and any(map(_AVERAGED.search, key)):  # some averages have no names
        seen.add(id(value))
        for number, inner in enumerate(value):
            _collect(inner, (*key, str(number)), found, seen)


def _is_of_an_optimizer(value: Mapping[object, object]) -> bool:
    return {"state", "param_groups"} <= set(value) or any(isinstance(value.get(name), Tensor) for name in _MOMENTS)


@dataclass(frozen=True)
class _Root:
    """What stands before the names of a model: entries of the file, then segments."""

    entries: tuple[str, ...]
    prefix: tuple[str, ...]

    @property
    def averaged(self) -> bool:
        """Whether moving averages of weights stand there."""
        return any(map(_AVERAGED.search, (*self.entries, *self.prefix)))

    def __str__(self) -> str:
        name = ".".join((*self.entries, *self.prefix))
        return f"'{name}'" if name else "no prefix"


@dataclass(frozen=True)
class _Place:
    """A tensor's name taken apart; `own` is None where no segment is a name of the model's."""

    key: Key
    root: _Root
    own: tuple[str, ...] | None
    wrappers: tuple[str, ...]


@dataclass(frozen=True)
class Unwrapped:
    """The weights among the tensors of some files.

    Attributes:
        names: Official names and where their tensors lie, in the order of the files.
        remarks: What was stripped and what lies beside, one sentence each.
    """

    names: tuple[tuple[str, Key], ...]
    remarks: tuple[str, ...] = ()


def unwrap(shapes: Mapping[Key, Shape], path: Path) -> Unwrapped:
    """Find the weights of one model among the tensors of its files, and strip what wrappers added to their names.

    Entries and leading segments go whatever they are called, since the model's own names say where they end; within
    names go `module` and segments that begin with an underscore, which no model of the family has.

    Args:
        shapes: Shape of every tensor of the files.
        path: The file, for messages.

    Returns:
        The weights; of tensors without any name of the family all, under the names they have.

    Raises:
        UserError: Several models lie in the file, a tensor has two values, or parameters are flattened.
    """
    places = [_placed(key) for key in shapes]
    if flat := next((key for key in shapes if key[-1].rpartition(".")[2] in _FLATTENED), None):
        raise UserError(
            "checkpoint",
            f"{path} holds {'.'.join(flat)}, parameters that FSDP flattened; save a full state_dict (FULL_STATE_DICT).",
        )
    own = [place for place in places if place.own is not None]
    if not own:
        return Unwrapped(tuple((".".join(key), key) for key in shapes))
    root = _chosen(own, path)
    kept = {place.key: place for place in places if place.root == root or _is_within(place, root)}
    _refuse_two_values(kept.values(), path)
    names = tuple((renamed(".".join(place.own or _rest(place, root))), key) for key, place in kept.items())
    others = [place for place in places if place.key not in kept and shapes[place.key]]
    return Unwrapped(names, (*_stripped(kept.values(), root), *_beside(others)))


def _placed(key: Key) -> _Place:
    depth = next((depth for depth, entry in enumerate(key) if _is_own(entry.partition(".")[0])), len(key) - 1)
    segments = ".".join(key[depth:]).split(".")
    bare = _bare(segments)
    wrappers = tuple(segment for segment in segments[:-1] if _is_wrapper(segment))
    start = next((at for at, segment in enumerate(bare) if _is_own(segment)), None)
    if start is None:
        return _Place(key, _Root(key[:-1], tuple(bare[:-1])), None, wrappers)
    return _Place(key, _Root(key[:depth], tuple(bare[:start])), tuple(bare[start:]), wrappers)


def _is_own(segment: str) -> bool:
    return _OWN.fullmatch(renamed(segment)) is not None


def _is_wrapper(segment: str) -> bool:
    return segment == "module" or segment.startswith("_")


def _bare(segments: Sequence[str]) -> list[str]:
    return [*(segment for segment in segments[:-1] if not _is_wrapper(segment)), segments[-1]]


def _chosen(own: Iterable[_Place], path: Path) -> _Root:
    """Choose where the weights are taken from: the place of a whole model, of several one that is no average."""
    parts: dict[_Root, list[str]] = {}
    for place in own:
        parts.setdefault(place.root, []).append(renamed((place.own or ("",))[0]))
    whole = [root for root, names in parts.items() if set(names) >= _NEEDED]
    found = whole or [max(parts, key=lambda root: (not root.averaged, len(parts[root])))]
    found = [root for root in found if not root.averaged] or found
    if len(found) > 1:
        told = " and ".join(map(str, found))
        raise UserError(
            "checkpoint",
            f"{path} holds {len(found)} models, under {told}; save the tensors of one alone, without what stands "
            "before their names.",
        )
    return found[0]


def _is_within(place: _Place, root: _Root) -> bool:
    """Whether a tensor that bears no name of the model's lies among its weights."""
    return place.own is None and place.root.entries == root.entries and place.root.averaged <= root.averaged


def _rest(place: _Place, root: _Root) -> Sequence[str]:
    bare = _bare(place.key[-1].split("."))
    n = len(root.prefix)
    return bare[n:] if tuple(bare[:n]) == root.prefix and len(bare) > n else bare


def _refuse_two_values(kept: Iterable[_Place], path: Path) -> None:
    before: dict[tuple[str, ...], Key] = {}
    for place in kept:
        if place.own is not None and before.setdefault(place.own, place.key) != place.key:
            one, other = (".".join(key) for key in (before[place.own], place.key))
            raise UserError(
                "checkpoint", f"{path} holds {one} and {other}, the same tensor of one model; save it without one."
            )


def _stripped(kept: Iterable[_Place], root: _Root) -> list[str]:
    added = [f"{'.'.join(root.prefix)}."] * bool(root.prefix)
    added += dict.fromkeys(f"{wrapper}." for place in kept for wrapper in place.wrappers)
    told = " and ".join(f"'{one}'" for one in added)
    entries = f"'{'.'.join(root.entries)}'"
    if root.entries:
        names = f", and {told} stripped from their names" if added else ""
        return [f"The weights were taken from the entry {entries} of the file{names}."]
    return [f"{told} was stripped from the names of the tensors."] if added else []


def _beside(others: Iterable[_Place]) -> list[str]:
    """Name other weights of the file: moving averages, and parts under other names."""
    remarks = []
    for place in others:
        segments = (*place.root.entries, *place.root.prefix)
        at = next((at for at, segment in enumerate(segments, 1) if _AVERAGED.search(segment)), None)
        if at is not None:
            name = f"'{'.'.join(segments[:at])}'"
            remarks.append(f"EMA weights lie beside under {name}, unused; to use them, save those of {name} alone.")
        elif place.own is not None:
            remarks.append(f"Tensors under {place.root} lie beside, unused.")
    return list(dict.fromkeys(remarks))
