"""Embeddings on disk: what `gram embed` writes and everything else reads. Names resolve late."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gramcli.catalog import late_names

if TYPE_CHECKING:
    from gramcli.store.derived import write_store
    from gramcli.store.layout import Plan, PlannedItem
    from gramcli.store.reader import Store, open_store
    from gramcli.store.shards import ShardContent
    from gramcli.store.writer import StoreWriter

_HOMES: Final = {
    "Plan": "layout",
    "PlannedItem": "layout",
    "ShardContent": "shards",
    "Store": "reader",
    "StoreWriter": "writer",
    "open_store": "reader",
    "write_store": "derived",
}
__all__ = ["Plan", "PlannedItem", "ShardContent", "Store", "StoreWriter", "open_store", "write_store"]
__getattr__ = late_names(__name__, _HOMES)
