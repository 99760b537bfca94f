"""Digests made right again after a file was changed: a seal is no signature, whoever forges a file forges it too."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from gramcli.store.layout import seal


def seal_store(changed: Path) -> None:
    """Seal a store again whose manifest, items.csv or shard was changed, as far as its manifest can still be read."""
    store = changed.parents[1] if changed.parent.name == "shards" else changed.parent
    path = store / "manifest.json"
    with suppress(ValueError, RecursionError, KeyError, TypeError, AttributeError):
        manifest: dict[str, Any] = json.loads(path.read_bytes())
        manifest.pop("content_sha256", None)
        if changed.name == "items.csv":
            manifest["items_sha256"] = hashlib.sha256(changed.read_bytes()).hexdigest()
        for shard in manifest["shards"] if changed.suffix == ".safetensors" else ():
            if shard["file"] == f"shards/{changed.name}":
                data = changed.read_bytes()
                shard |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        path.write_bytes(_sealed(manifest))


def seal_heads(changed: Path) -> None:
    """Write the digest of changed weights into heads.json."""
    path = changed.parent / "heads.json"
    if changed != path:
        config = json.loads(path.read_bytes())
        path.write_text(json.dumps({**config, "weights_sha256": hashlib.sha256(changed.read_bytes()).hexdigest()}))


def _sealed(manifest: dict[str, Any]) -> bytes:
    try:
        return seal(manifest)
    except ValueError:  # NaN or infinity: the digest a reader of such a document would compute
        text = json.dumps(manifest, sort_keys=True, separators=(",", ":"))
        digest = hashlib.sha256(text.encode()).hexdigest()
        return json.dumps({**manifest, "content_sha256": digest}).encode()
