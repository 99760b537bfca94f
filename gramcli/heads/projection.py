"""A store seen through heads: the same items, every vector in the heads' space."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from gramcli.errors import UserError
from gramcli.heads.files import PREFIX, load_heads
from gramcli.store.layout import TEXT, has_row
from gramcli.store.notes import keep_notes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

    from gramcli.heads.files import SavedHeads
    from gramcli.store.reader import Store


def project(store: Store, saved: SavedHeads) -> Store:
    """Apply heads to a store in memory; nothing is decoded and nothing written.

    Args:
        store: Embeddings of the model that the heads were trained on.
        saved: The heads.

    Returns:
        A store of the modalities that have heads, with its own fingerprint.

    Raises:
        UserError: The store is of another model, or has none of the modalities.
    """
    base, model = saved.config["model"], store.manifest["model"]
    same = all(base.get(key) == model.get(key) for key in ("id", "architecture", "weights_sha256", "preprocessing"))
    same = same and (base.get("heads") or {}).get("sha256") == (model.get("heads") or {}).get("sha256")
    if not same:
        raise UserError(
            "usage",
            f"The heads of {saved.path} were trained on embeddings of '{base.get('id')}'; {store.path} holds those of "
            f"'{model.get('id')}' or of other weights. Embed the data with that model, or train heads on this store.",
        )
    inputs = {saved.config.get("inputs", {}).get(name, name): name for name in saved.heads.dims}
    names = {inputs[stored]: stored for stored in store.modalities if stored in inputs}
    if not names:
        raise UserError(
            "usage",
            f"{store.path} holds {', '.join(store.modalities)}; the heads of {saved.path} are for "
            f"{', '.join(saved.heads.modalities)}.",
        )
    seen = store.under(names)
    return seen.mapped({name: _projected(seen, saved, name) for name in names}, saved.describe())


def seen_as(store: Store, recorded: Mapping[str, object]) -> Store:
    """A store as an evaluation saw it: through the heads that its provenance names, else as it is.

    Args:
        store: What is at the recorded path.
        recorded: The `store` of a provenance: `through` is `heads:DIR`, where it was seen through heads.

    Raises:
        UserError: The heads are not there or damaged, or as `project`.
    """
    through = recorded.get("through")
    return project(store, load_heads(through)) if isinstance(through, str) and through.startswith(PREFIX) else store


def _projected(store: Store, saved: SavedHeads, name: str) -> Tensor:
    rows = saved.heads.apply(name, store.embeddings(name).numpy())
    if name != TEXT:
        rows[[not has_row(status) for status in store.status(name)]] = 0
    return torch.from_numpy(rows)


def write_projected(
    store: Store, saved: SavedHeads, ids: Sequence[str], output: Path, *, overwrite: bool = False
) -> None:
    """Write a store seen through heads, of some of its items.

    Args:
        store: As for `project`.
        saved: The heads.
        ids: Which items, in this order.
        output: The store to write.
        overwrite: Replace a store of other content.

    Raises:
        UserError: As `project`; an id is not in the store; as `gramcli.store.write_store`.
    """
    from gramcli.store.derived import write_store  # noqa: PLC0415 - the writer is needed here only

    seen = project(store, saved)
    places = {name: place for place, name in enumerate(store.ids)}
    lacking = [name for name in ids if name not in places]
    if lacking:
        raise UserError(
            "usage",
            f"{store.path} has no embeddings of {len(lacking)} of {len(ids)} items, for instance '{lacking[0]}'. "
            "Embed these with the base model first.",
        )
    chosen = np.array([places[name] for name in ids], dtype=np.int64)
    texts, owners = _texts_of(seen, chosen)
    write_store(
        output,
        ids=[seen.ids[k] for k in chosen],
        splits=[seen.splits[k] for k in chosen],
        labels=[seen.labels[k] for k in chosen],
        embeddings={name: seen.embeddings(name).numpy()[texts if name == TEXT else chosen] for name in seen.modalities},
        caption_items=owners,
        captions=None if (known := seen.caption_digests()) is None else known.numpy()[texts],
        status={name: [seen.status(name)[k] for k in chosen] for name in seen.modalities},
        model=seen.manifest["model"],
        dataset=seen.manifest["dataset"],
        overwrite=overwrite,
    )
    taken = {seen.stored_name(name) for name in seen.modalities}
    keep_notes(output, {about: one for about, one in store.findings.items() if about.rpartition(" ")[2] in taken})


def _texts_of(store: Store, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Text rows of the chosen items in their order, and the new place of the item of each."""
    item_of = store.caption_items().numpy()
    first = np.searchsorted(item_of, chosen)
    count = np.searchsorted(item_of, chosen, side="right") - first
    owners = np.repeat(np.arange(len(chosen)), count)
    within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    return np.repeat(first, count) + within, owners
