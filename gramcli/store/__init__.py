"""Embeddings on disk: what `gram embed` writes and everything else reads. Names resolve late."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

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


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any public name of the folder
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
