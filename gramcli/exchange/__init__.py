"""Features of other tools and models: foreign files to and from stores. Names resolve late."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gramcli.catalog import late_names

if TYPE_CHECKING:
    from gramcli.exchange.catalog import FORMATS
    from gramcli.exchange.import_features import import_features

_HOMES: Final = {"FORMATS": "catalog", "import_features": "import_features"}
__all__ = ["FORMATS", "import_features"]
__getattr__ = late_names(__name__, _HOMES)
