"""A dataset's items of a store, written as heads see them: nothing is decoded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from gramcli.datasets import open_dataset
from gramcli.embedding.origin import take_origin
from gramcli.errors import UserError
from gramcli.heads.files import PREFIX, load_heads
from gramcli.heads.projection import write_projected
from gramcli.results.records import LeftOut
from gramcli.results.runs import EmbedSummary
from gramcli.store import open_store
from gramcli.store.layout import ABSENT, FAILED, OK, STAND_IN, reason_of, state
from gramcli.store.reader import Store
from gramcli.store.splits import chosen_items


def write_through_heads(
    store: Store, heads: str, ids: Sequence[str], output: Path, *, overwrite: bool = False
) -> EmbedSummary:
    """Write items of a store through heads.

    Args:
        store: Embeddings of the model that the heads were trained on.
        heads: `heads:DIR`.
        ids: Which items.
        output: The store to write.
        overwrite: Replace a store of something else.

    Returns:
        The written store's counts.

    Raises:
        UserError: Another model than heads, or as `write_projected`.
    """
    if not heads.startswith(PREFIX):
        raise UserError("usage", f"--from goes with --model heads:DIR; got --model {heads}. Leave --from out.")
    write_projected(store, load_heads(heads), ids, output, overwrite=overwrite)
    take_origin(store, output)
    return _summary(open_store(output))


def ids_of(
    store: Store, data: str | Path, root: Path | None, split: str | None, limit: int | None, protocol: str | None
) -> list[str]:
    """The ids of the items that are asked for; `data` may be the store itself.

    Raises:
        UserError: The store is of other data.
    """
    if (Path(data) / "manifest.json").is_file() and Path(data).resolve() == store.path.resolve():
        return [store.ids[k] for k in chosen_items(store, split or "all", limit).tolist()]
    dataset = open_dataset(str(data), root, split=split, limit=limit, protocol=protocol)
    known = store.manifest["dataset"].get("id")
    if known != dataset.id:
        raise UserError("usage", f"{store.path} holds embeddings of '{known}', not of '{dataset.id}'. Name its data.")
    return [item.id for item in dataset.items]


def _summary(store: Store) -> EmbedSummary:
    statuses = {name: store.status(name) for name in store.modalities}
    counts = {name: Counter(map(state, found)) for name, found in statuses.items()}
    absent = {name: n for name, count in counts.items() if (n := count[ABSENT] + count[STAND_IN])}
    left_out = [
        LeftOut(item, name, reason_of(status))
        for name, found in statuses.items()
        for item, status in zip(store.ids, found, strict=True)
        if state(status) == FAILED
    ]
    return EmbedSummary(
        path=store.path,
        items=len(store.ids),
        captions=store.manifest["counts"]["captions"],
        ok={name: count[OK] for name, count in counts.items()},
        left_out=tuple(left_out),
        shards_written=len(store.manifest["shards"]),
        shards_reused=0,
        absent=absent,
    )
