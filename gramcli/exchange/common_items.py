"""Which items of several stores are the same, and whether the stores say the same of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from gramcli.errors import UserError
from gramcli.exchange.operands import Operand
from gramcli.store.layout import PlannedItem

Items = Literal["same", "intersection", "union"]
ITEMS: Final[tuple[Items, ...]] = get_args(Items)


@dataclass(frozen=True)
class Matched:
    """The items of a joined store.

    Attributes:
        items: In the order of the first store; of a union, then those of the next that it lacks, and so on.
        places: Position of each item in each store, -1 where it is not, shape [stores, items].
        notes: What was decided, one sentence each.
    """

    items: tuple[PlannedItem, ...]
    places: NDArray[np.int64]
    notes: tuple[str, ...]


def match_items(operands: Sequence[Operand], policy: Items) -> Matched:
    """Find each item in each store by its id.

    Args:
        operands: The stores.
        policy: `same`: all have the same ids, in whatever order; `intersection`: only the ids that all have; `union`:
            all ids.

    Raises:
        UserError: An unknown policy, ids that `same` does not allow or none in common, or a split or label of which two
            stores say something else; names the first case.
    """
    if policy not in ITEMS:
        raise UserError("usage", f"--items '{policy}' is none of {', '.join(ITEMS)}.")
    places = [{name: place for place, name in enumerate(operand.store.ids)} for operand in operands]
    union = list(dict.fromkeys(name for operand in operands for name in operand.store.ids))
    shared = [name for name in union if all(name in found for found in places)]
    if policy == "same" and len(shared) < len(union):
        raise UserError("usage", _unequal(operands, places, len(shared), len(union)))
    if policy == "intersection" and not shared:
        raise UserError("usage", f"No id is in all of the stores: {_first_ids(operands)}. Embed one dataset for each.")
    ids = union if policy == "union" else shared
    table = np.array([[found.get(name, -1) for name in ids] for found in places], dtype=np.int64)
    splits, labels = (_agreed(operands, table, ids, what) for what in ("split", "label"))
    notes = () if len(shared) == len(union) else (_kept(operands, places, policy, len(shared), len(union)),)
    return Matched(tuple(map(PlannedItem, ids, splits, labels)), table, notes)


def _agreed(operands: Sequence[Operand], table: NDArray[np.int64], ids: Sequence[str], what: str) -> list[str | None]:
    """The split or label of each item, of all stores that have one.

    Raises:
        UserError: Two stores have different ones.
    """
    found: list[str | None] = [None] * len(ids)
    holder = [0] * len(ids)
    wrong: list[tuple[int, int, str]] = []
    for k, operand in enumerate(operands):
        values = operand.store.splits if what == "split" else operand.store.labels
        for item, place in enumerate(table[k].tolist()):
            value = values[place] if place >= 0 else None
            if value is not None and found[item] is None:
                found[item], holder[item] = value, k
            elif value is not None and value != found[item]:
                wrong.append((item, k, value))
    if wrong:
        item, k, value = wrong[0]
        more = f", and {len(wrong) - 1} more differ" if len(wrong) > 1 else ""
        raise UserError(
            "usage",
            f"Item {ids[item]!r} has the {what} {found[item]!r} in {operands[holder[item]].label} and {value!r} in "
            f"{operands[k].label}{more}. Embed the same annotations for each store.",
        )
    return found


def _unequal(operands: Sequence[Operand], places: Sequence[dict[str, int]], shared: int, union: int) -> str:
    return (
        f"The stores do not hold the same items: {_lacking(operands, places)}. With --items intersection the {shared} "
        f"that all have are joined; with --items union all {union}, absent where a store lacks them."
    )


def _kept(operands: Sequence[Operand], places: Sequence[dict[str, int]], policy: Items, shared: int, union: int) -> str:
    kept = f"the {shared} items that all have" if policy == "intersection" else f"all {union} items"
    return f"Joined are {kept} (--items {policy}): {_lacking(operands, places)}."


def _lacking(operands: Sequence[Operand], places: Sequence[dict[str, int]]) -> str:
    """What each store lacks of the others', with the first case."""
    union = list(dict.fromkeys(name for operand in operands for name in operand.store.ids))
    said = []
    for operand, found in zip(operands, places, strict=True):
        lacking = [name for name in union if name not in found]
        if lacking:
            said.append(f"{operand.label} lacks {len(lacking)} of the {len(union)}, such as {lacking[0]!r}")
    return "; ".join(said)


def _first_ids(operands: Sequence[Operand]) -> str:
    return ", ".join(f"{operand.label} begins with {operand.store.ids[0]!r}" for operand in operands)
