"""What items were made from outlives an export and a join: leakage checks and re-ranking ask for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gramcli.errors import UserError
from gramcli.exchange import export_store, join_stores, restore
from gramcli.exchange.formats_out import FORMATS
from gramcli.store import open_store
from gramcli.store.layout import canonical, read_inputs
from tests.exchange.stores import of_ids, written

IDS = [f"clip {k}" for k in range(8)]
MADE = [{"audio": f"a{k}", "video": f"v{k}"} if k % 3 else {"video": f"v{k}"} if k else {} for k in range(8)]


def made(path: Path, inputs: list[dict[str, str]], *names: str, ids: list[str] = IDS) -> Path:
    written(path, of_ids(ids, *names))
    (path / "inputs.json").write_bytes(canonical(inputs))
    return path


@pytest.mark.parametrize("to", FORMATS.names())
@pytest.mark.parametrize("apart", [False, True])
def test_inputs_come_back_from_an_export(to: str, apart: bool, tmp_path: Path) -> None:
    store = made(tmp_path / "store", MADE, "video", "audio", "text")
    out = tmp_path / f"out.{to}"
    export_store(store, out, to=to, per_modality=apart)
    restore(out, tmp_path / "again")
    assert (tmp_path / "again" / "inputs.json").read_bytes() == (store / "inputs.json").read_bytes()


def test_inputs_of_other_items_are_refused(tmp_path: Path) -> None:
    store = made(tmp_path / "store", MADE, "video")
    export_store(store, tmp_path / "out.csv")
    changed = (tmp_path / "out.csv").read_text().replace('""v7""', '""v7"", ""v8""')
    (tmp_path / "out.csv").write_text(changed)
    with pytest.raises(UserError, match=r"its inputs are|it has inputs of"):
        restore(tmp_path / "out.csv", tmp_path / "again")


def test_a_join_keeps_what_the_stores_agree_on(tmp_path: Path) -> None:
    made(tmp_path / "a", [{"video": f"v{k}"} for k in range(8)], "video")
    other = [{"audio": f"a{k}", "video": f"v{k}" if k else "another"} for k in range(8)]
    made(tmp_path / "b", other[::-1], "audio", ids=IDS[::-1])
    join_stores(tmp_path / "a", tmp_path / "b", output=tmp_path / "c")
    found = read_inputs(tmp_path / "c", len(open_store(tmp_path / "c").ids))
    assert found == [{"audio": "a0"}, *({"audio": f"a{k}", "video": f"v{k}"} for k in range(1, 8))]
    assert json.loads((tmp_path / "c" / "inputs.json").read_bytes()) == found
