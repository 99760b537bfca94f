"""Features and runs of other tools to and from stores, and stores side by side. Names resolve late."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gramcli.catalog import late_names

if TYPE_CHECKING:
    from gramcli.exchange.catalog import FORMATS
    from gramcli.exchange.exporting import export_store
    from gramcli.exchange.import_features import import_features
    from gramcli.exchange.joining import join_stores
    from gramcli.exchange.own import read_export, restore
    from gramcli.exchange.trec import write_run

_HOMES: Final = {
    "FORMATS": "catalog",
    "export_store": "exporting",
    "import_features": "import_features",
    "join_stores": "joining",
    "read_export": "own",
    "restore": "own",
    "write_run": "trec",
}
__all__ = ["FORMATS", "export_store", "import_features", "join_stores", "read_export", "restore", "write_run"]
__getattr__ = late_names(__name__, _HOMES)
