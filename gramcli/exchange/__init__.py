"""Foreign files <-> stores, and stores side by side: one file per format. Names resolve late."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gramcli.catalog import late_names

if TYPE_CHECKING:
    from gramcli.exchange.exporting import export_store
    from gramcli.exchange.joining import join_stores
    from gramcli.exchange.own import read_export, restore
    from gramcli.exchange.trec import write_run

_HOMES: Final = {
    "export_store": "exporting",
    "join_stores": "joining",
    "read_export": "own",
    "restore": "own",
    "write_run": "trec",
}
__all__ = ["export_store", "join_stores", "read_export", "restore", "write_run"]
__getattr__ = late_names(__name__, _HOMES)
