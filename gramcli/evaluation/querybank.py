"""The rows of the train split that a querybank is taken from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gramcli.errors import UserError
from gramcli.evaluation.selection import TRAIN, Selection, select
from gramcli.store.splits import chosen_items, effective_split

if TYPE_CHECKING:
    from gramcli.store.reader import Store


def querybank(store: Store, selection: Selection, split: str | None, missing: str) -> Selection:
    """The rows of the train split: queries and candidates that are known but not tested.

    Args:
        store: The store.
        selection: The rows that are evaluated.
        split: The split that is evaluated, as given; it must not be the train split or contain it.
        missing: As in `select`; `error` leaves incomplete items out of the bank.

    Raises:
        UserError: There is no train split, or it is evaluated itself, or no item of it has what the task needs.
    """
    if TRAIN not in store.splits:
        raise UserError(
            "store",
            f"A querybank comes from split '{TRAIN}', and {store.path} has no item of it. "
            "Embed that split too, or normalise by dsl or csls.",
        )
    if effective_split(store, split) in (None, TRAIN):
        others = sorted({found for found in store.splits if found and found != TRAIN})
        hint = f"Name a split with --split: {', '.join(others)}." if others else "Normalise by dsl or csls."
        raise UserError("usage", f"The querybank, split '{TRAIN}', would be among the items it is tested on. {hint}")
    try:
        items, policy = chosen_items(store, TRAIN, None), "drop" if missing == "error" else missing
        forward = None if len(selection.directions) > 1 else selection.directions[0]
        return select(store, selection.named or selection.task, items, policy, forward=forward)
    except UserError as error:
        raise UserError(error.kind, f"Querybank from split '{TRAIN}': {error}") from None
