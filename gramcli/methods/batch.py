"""What every loss is given: a batch of embeddings by modality, who is absent, who is no negative of whom.

Under torch.distributed a loss contrasts the rank's own items with those of all ranks. `World` holds these; gradients
flow back to the ranks the rows came from, so that averaging the ranks' gradients, as DistributedDataParallel does,
gives the gradient of one process with the whole batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, TypedDict, cast

import torch
from torch import Tensor
from torch import distributed as dist

from gramcli.catalog import did_you_mean
from gramcli.errors import UserError


class LossOptions(TypedDict, total=False):
    """Options of `AlignmentMethod.loss`; a method refuses those that mean nothing to it.

    Attributes:
        present: Modality -> which items have it, [B] bool; one not named is complete.
        groups: Items of one number, [B] int64, are never negatives of each other; across ranks, too.
        anchor: The modality that is contrasted with the others; None for each in turn.
        temperature: Divides the logits, a number or a tensor that learns; None for the method's own.
        label_smoothing: Share of the target spread evenly over all candidates; 0.1.
        detach_gathered: No gradient to the side that is gathered, as in the authors' code, on one rank too.
        regulariser_temperature: tau2 of pmrl; 0.1.
        generator: Draws negatives where a loss samples them (symile); on every rank in the same state.
    """

    present: Mapping[str, Tensor] | None
    groups: Tensor | None
    anchor: str | None
    temperature: float | Tensor | None
    label_smoothing: float
    detach_gathered: bool
    regulariser_temperature: float
    generator: torch.Generator | None


SHARED = ("present", "groups", "temperature", "detach_gathered", "generator")
"""Options that every loss takes."""

_ALONE: Final = ContextVar("alone", default=False)


@dataclass(frozen=True)
class Batch:
    """The rows of one rank.

    Attributes:
        names: The modalities.
        vectors: Their rows, zero where absent, shape [m, B, d], float32 or float64.
        present: Shape [m, B], bool.
        groups: Shape [B], int64; None where every item is its own group.
    """

    names: tuple[str, ...]
    vectors: Tensor
    present: Tensor
    groups: Tensor | None

    def gathered(self, *, detach: bool = False) -> World:
        """The rows of all ranks, this rank's among them; without torch.distributed its own.

        Args:
            detach: Let no gradient flow through them.

        Raises:
            UserError: The ranks have batches of different sizes.
        """
        return gather(self.vectors, self.present, self.groups, detach=detach)

    def full_precision(self) -> torch.autocast:
        """A context in which autocast leaves the algebra of a loss alone."""
        return torch.autocast(self.vectors.device.type, enabled=False)


@dataclass(frozen=True)
class World:
    """The rows of all ranks.

    Attributes:
        vectors: Shape [m, N, d].
        present: Shape [m, N], bool.
        groups: Shape [N], int64.
        start: Where this rank's rows begin.
        ranks: How many ranks there are.
    """

    vectors: Tensor
    present: Tensor
    groups: Tensor
    start: int
    ranks: int


def read_batch(
    name: str, embeddings: Mapping[str, Tensor], options: Mapping[str, Any], own: tuple[str, ...] = ()
) -> Batch:
    """Check what a loss was given, and stack it.

    Args:
        name: The method, for messages.
        embeddings: Modality -> rows of unit length [B, d]; half precision becomes float32.
        options: Of `LossOptions`.
        own: Those of them that this method takes beside `SHARED`.

    Raises:
        UserError: Fewer than two modalities, shapes, types or devices that do not fit, or an option that means nothing.
    """
    known = (*SHARED, *own)
    for option in options:
        if option not in known:
            raise UserError(
                "usage",
                f"The loss of {name} takes no '{option}': leave it out.{did_you_mean(option, known)}",
            )
    if len(embeddings) < 2:
        raise UserError("input", f"A loss needs at least two modalities; got {', '.join(embeddings) or 'none'}.")
    for modality, rows in embeddings.items():
        _check_rows(name, modality, rows, next(iter(embeddings.values())))
    names = tuple(embeddings)
    present = _presence(names, embeddings[names[0]], options.get("present") or {})
    wide = [rows.float() if rows.dtype in (torch.float16, torch.bfloat16) else rows for rows in embeddings.values()]
    vectors = torch.stack(wide)
    if options.get("present"):
        vectors = vectors.masked_fill(~present.unsqueeze(-1), 0.0)
    groups = options.get("groups")
    if groups is not None and (groups.shape != present.shape[1:] or groups.dtype != torch.int64):
        raise UserError("input", f"groups must be [{present.shape[1]}] int64; got {list(groups.shape)} {groups.dtype}.")
    return Batch(names, vectors, present, groups)


def items(x: Tensor, which: Tensor) -> Tensor:
    """Those items of [k, n, ...] that `which` [n] names; as it is, not copied, where that is all."""
    return x if bool(which.all()) else x[:, which]


def anchors(batch: Batch, options: Mapping[str, Any]) -> tuple[int, ...]:
    """Positions of the modalities that are contrasted with the others: the one named, or all.

    Raises:
        UserError: The anchor is none of the modalities.
    """
    anchor = options.get("anchor")
    if anchor is None:
        return tuple(range(len(batch.names)))
    if anchor not in batch.names:
        hint = did_you_mean(anchor, batch.names)
        raise UserError(
            "usage", f"There is no modality '{anchor}' to be the anchor.{hint} There are: {', '.join(batch.names)}."
        )
    return (batch.names.index(anchor),)


@contextmanager
def alone() -> Iterator[None]:
    """A context in which a loss is that of this rank's rows, which the other ranks do not wait for."""
    token = _ALONE.set(True)
    try:
        yield
    finally:
        _ALONE.reset(token)


def gather(vectors: Tensor, present: Tensor, groups: Tensor | None, *, detach: bool = False) -> World:
    """Rows of all ranks along the second dimension.

    Args:
        vectors: Shape [m, B, d].
        present: Shape [m, B].
        groups: Shape [B]; None where every item is its own.
        detach: Let no gradient flow through the vectors.

    Raises:
        UserError: The ranks have batches of different sizes.
    """
    n = vectors.shape[1]
    together = dist.is_available() and dist.is_initialized() and not _ALONE.get()
    ranks = dist.get_world_size() if together else 1
    start = dist.get_rank() * n if ranks > 1 else 0
    source = vectors.detach() if detach else vectors
    own = torch.arange(start, start + n, device=vectors.device) if groups is None else groups
    if ranks == 1:
        return World(source, present, own, 0, 1)
    _check_sizes(n, vectors.device, ranks)
    return World(
        _with_gradient(source.transpose(0, 1)).transpose(0, 1),
        _all(present.T.contiguous().to(torch.uint8), ranks).to(torch.bool).T,
        _all(own, ranks),
        start,
        ranks,
    )


class _Gathered(torch.autograd.Function):
    """All ranks' rows; the gradient of a row is the sum of what all ranks made of it."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:  # noqa: ANN401 - autograd's context
        """[B, ...] of every rank -> [ranks B, ...]."""
        ctx.n = rows.shape[0]
        return _all(rows.contiguous(), dist.get_world_size())

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:  # noqa: ANN401
        """Sum over ranks, this rank's part of it."""
        total = gradients[0].contiguous().clone()
        dist.all_reduce(total)
        start = dist.get_rank() * ctx.n
        return total[start : start + ctx.n]


def _with_gradient(rows: Tensor) -> Tensor:
    return cast("Tensor", _Gathered.apply(rows))  # type: ignore[no-untyped-call]


def _all(rows: Tensor, ranks: int) -> Tensor:
    parts = [torch.empty_like(rows) for _ in range(ranks)]
    dist.all_gather(parts, rows)
    return torch.cat(parts)


def _check_sizes(n: int, device: torch.device, ranks: int) -> None:
    sizes = _all(torch.tensor([n], device=device), ranks).tolist()
    if len(set(sizes)) > 1:
        raise UserError("input", f"All ranks need batches of one size; they have {', '.join(map(str, sizes))} items.")


def _check_rows(name: str, modality: str, rows: Tensor, first: Tensor) -> None:
    if rows.dim() != 2 or rows.shape != first.shape or not rows.shape[0]:
        raise UserError(
            "embedding",
            f"The loss of {name} takes [B, d] of every modality, alike, B at least 1; '{modality}' is "
            f"{list(rows.shape)} beside {list(first.shape)}.",
        )
    if not rows.is_floating_point() or rows.device != first.device or rows.dtype != first.dtype:
        raise UserError(
            "embedding",
            f"The loss of {name} takes floats of one type on one device; '{modality}' is {rows.dtype} on {rows.device} "
            f"beside {first.dtype} on {first.device}.",
        )


def _presence(names: tuple[str, ...], first: Tensor, given: Mapping[str, Tensor]) -> Tensor:
    for modality, mask in given.items():
        if modality not in names:
            raise UserError("input", f"present has '{modality}', which was not embedded: {', '.join(names)}.")
        if mask.shape != first.shape[:1] or mask.dtype != torch.bool:
            raise UserError(
                "input", f"present['{modality}'] must be [{first.shape[0]}] bool; got {list(mask.shape)} {mask.dtype}."
            )
    everyone = torch.ones(first.shape[0], dtype=torch.bool, device=first.device)
    return torch.stack([given.get(modality, everyone) for modality in names])
