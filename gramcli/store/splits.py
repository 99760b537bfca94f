"""Which items of a store are meant: by split, at most so many."""

from __future__ import annotations

import torch
from torch import Tensor

from gramcli.catalog import did_you_mean
from gramcli.errors import UserError
from gramcli.store.reader import Store
from gramcli.store.split_names import default_split, meant_split


def chosen_items(store: Store, split: str | None, limit: int | None) -> Tensor:
    """Positions of the items of a split, at most `limit`.

    Args:
        store: The store.
        split: A split's name, `all`, or None: `test` where there are several splits, else all.
        limit: How many of them, from the first; None for all.

    Returns:
        Positions, int64.

    Raises:
        UserError: No item has that split, limit < 1, or None where there are several splits and none is `test`.
    """
    if limit is not None and limit < 1:
        raise UserError("usage", f"--limit must be at least 1; got {limit}.")
    name = effective_split(store, split)
    wanted = [k for k, found in enumerate(store.splits) if name is None or found == name]
    if not wanted:
        known = sorted({found for found in store.splits if found})
        listed = f"Splits: {', '.join(known)}." if known else "The store has no splits."
        raise UserError("usage", f"{store.path} has no split '{split}'.{did_you_mean(split or '', known)} {listed}")
    return torch.tensor(wanted[:limit], dtype=torch.int64)


def effective_split(store: Store, split: str | None) -> str | None:
    """The split meant: `test` by default where there are several, None for all items.

    Raises:
        UserError: None is named, and of several splits none is a test split.
    """
    if split is None:
        return default_split(store.splits, str(store.path))
    if split == "all" and "all" not in store.splits:
        return None
    return meant_split(split, (found for found in store.splits if found)) or split
