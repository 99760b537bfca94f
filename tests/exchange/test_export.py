"""Exports of a store: what the libraries that users have read in them, and the same store when they come back."""

from __future__ import annotations

import csv
import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

from gramcli import import_features
from gramcli.errors import UserError
from gramcli.exchange import export_store, restore
from gramcli.exchange.export_layout import MARK
from gramcli.exchange.formats_out import FORMATS
from gramcli.exchange.own import is_export
from gramcli.store import Store, open_store, write_store
from gramcli.store.notes import keep_notes
from tests.exchange.stores import contents, of_ids, written

IDS = [f"clip {k}" for k in range(8)]
NAMES = FORMATS.names()


def files_of(store: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(store)): path.read_bytes()
        for path in sorted(store.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


@settings(max_examples=60, deadline=None)
@given(content=contents(), to=st.sampled_from(NAMES), apart=st.booleans())
def test_an_import_of_an_export_is_the_same_store_bit_for_bit(content: dict[str, Any], to: str, apart: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = written(Path(folder, "store"), content)
        out = Path(folder, "out" if apart else f"out.{to}")
        found = export_store(store, out, to=to, per_modality=apart)
        assert set(found.files) == {str(out / f"{n}.{to}") for n in store.modalities} if apart else {str(out)}
        assert is_export(out)
        assert restore(out, Path(folder, "again")) == store.fingerprint()
        assert files_of(Path(folder, "again")) == files_of(store.path)
        twice = Path(folder, "twice" if apart else f"twice.{to}")
        export_store(open_store(Path(folder, "again")), twice, to=to, per_modality=apart)
        for one in sorted(out.iterdir()) if apart else [out]:
            assert (twice / one.name if apart else twice).read_bytes() == one.read_bytes()


def test_views_of_text_come_back(tmp_path: Path) -> None:
    content = of_ids(IDS, "text", "video")
    content["embeddings"]["text@video"] = content["embeddings"]["text"][:, :2].copy()
    store = written(tmp_path / "store", content)
    for to in NAMES:
        for apart in (False, True):
            out = tmp_path / (f"{to}_files" if apart else f"all.{to}")
            export_store(store, out, to=to, per_modality=apart)
            assert restore(out, tmp_path / f"{to}{apart}") == store.fingerprint()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Eight items, two captions for the first and none for the second; one video is broken."""
    content = of_ids(IDS, "text", "video", splits=["train", "test"] * 4, labels=["cat", None] * 4)
    content["caption_items"] = np.array([0, 0, *range(2, 8)])
    content["captions"] = [f"about clip {k}" for k in range(8)]
    content["status"] = {"video": ["ok"] * 7 + ["failed: broken"]}
    content["embeddings"]["video"][7] = 0
    return written(tmp_path / "store", content)


def test_numpy_reads_npz(store: Store, tmp_path: Path) -> None:
    export_store(store, tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz", allow_pickle=False) as found:
        np.testing.assert_array_equal(found["video"], store.embeddings("video").numpy())
        np.testing.assert_array_equal(found["text"], store.embeddings("text").numpy())
        np.testing.assert_array_equal(found["text.item"], store.caption_items().numpy())
        assert found["ids"].tolist() == IDS
        assert found["splits"].tolist() == ["train", "test"] * 4
        assert found["labels"].tolist() == ["cat", ""] * 4
        assert json.loads(found[MARK].tobytes())["fingerprint"] == store.fingerprint()


def test_safetensors_and_torch_read_safetensors(store: Store, tmp_path: Path) -> None:
    from safetensors.torch import load_file as load_torch

    export_store(store, tmp_path / "out.safetensors")
    np.testing.assert_array_equal(load_file(tmp_path / "out.safetensors")["text"], store.embeddings("text").numpy())
    assert load_torch(tmp_path / "out.safetensors")["video"].equal(store.embeddings("video"))


def test_h5py_reads_h5(store: Store, tmp_path: Path) -> None:
    export_store(store, tmp_path / "out.h5")
    with h5py.File(tmp_path / "out.h5") as found:
        np.testing.assert_array_equal(found["video"][:], store.embeddings("video").numpy())
        assert found["ids"].asstr()[:].tolist() == IDS


def test_pandas_reads_parquet_with_the_columns_that_others_are_told(store: Store, tmp_path: Path) -> None:
    export_store(store, tmp_path / "out.parquet", project="pca")
    found = pd.read_parquet(tmp_path / "out.parquet")
    wanted = ["id", "split", "label", "modality", "caption", "status", "digest", "vector", "x", "y"]
    assert list(found.columns) == wanted
    assert len(found) == 9 + 8
    video = found[found.modality == "video"]
    assert video.id.tolist() == IDS
    np.testing.assert_array_equal(np.stack(video.vector[:-1]), store.embeddings("video").numpy()[:7])
    assert video.vector.iloc[-1] is None
    assert video.status.iloc[-1] == "failed: broken"
    assert np.isnan(video.x.iloc[-1])
    text = found[found.modality == "text"]
    assert text.id.tolist() == [IDS[0], IDS[0], *IDS[1:]]
    assert text.caption.tolist()[:2] == [0, 1]
    assert text.digest.dropna().tolist()[2] == hashlib.sha256(b"about clip 2").hexdigest()[:16]
    vectors = np.stack(found.vector.dropna()).astype(np.float64)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    unit -= unit.mean(axis=0)
    points = found.dropna(subset=["x"])[["x", "y"]].to_numpy()
    values = np.linalg.svd(unit, compute_uv=False)
    np.testing.assert_allclose((points.astype(np.float64) ** 2).sum(axis=0), values[:2] ** 2, rtol=1e-5)


def test_what_shares_no_space_is_projected_apart(tmp_path: Path) -> None:
    content = of_ids(IDS, "text", "video", model={"id": "m", "shared_space": False})
    found = export_store(written(tmp_path / "store", content), tmp_path / "out.csv", project="pca")
    assert "each embedding by itself" in found.notes[0]
    points = pd.read_csv(tmp_path / "out.csv")
    for _, part in points.groupby("modality"):
        assert abs(part.x.mean()) < 1e-6


def test_a_csv_of_python_reads_every_float32_exactly(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).integers(1, 2**31 - 2**24, size=(500, 4), dtype=np.int32).view(np.float32)
    rows = rows[np.isfinite(rows).all(axis=1)]
    n = len(rows)
    write_store(
        tmp_path / "store", ids=[f"{k}" for k in range(n)], splits=[None] * n, labels=[None] * n,
        embeddings={"video": rows}, caption_items=None, status={}, model={"id": "m"}, dataset={"id": "d"},
    )  # fmt: skip
    export_store(tmp_path / "store", tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="") as file:
        read = [np.array(json.loads(row["vector"]), dtype=np.float32) for row in csv.DictReader(file)]
    np.testing.assert_array_equal(np.stack(read), rows)


@pytest.mark.parametrize("to", NAMES)
def test_equal_stores_give_equal_files(to: str, store: Store, tmp_path: Path) -> None:
    export_store(store, tmp_path / f"a.{to}")
    export_store(store, tmp_path / f"b.{to}")
    assert (tmp_path / f"a.{to}").read_bytes() == (tmp_path / f"b.{to}").read_bytes()


@pytest.mark.parametrize("to", NAMES)
def test_one_embedding_comes_back_alone(to: str, store: Store, tmp_path: Path) -> None:
    export_store(store, tmp_path / "out", to=to, per_modality=True)
    assert restore(tmp_path / "out" / f"video.{to}", tmp_path / "video") != store.fingerprint()
    found = open_store(tmp_path / "video")
    assert found.modalities == ("video",)
    assert found.embeddings("video").equal(store.embeddings("video"))
    assert restore([tmp_path / "out" / f"{n}.{to}" for n in ("video", "text")], tmp_path / "all") == store.fingerprint()


@pytest.mark.parametrize("to", NAMES)
def test_a_changed_vector_is_noticed(to: str, store: Store, tmp_path: Path) -> None:
    """Whoever changes a number and leaves our mark does not get a store that claims to be the model's."""
    path = tmp_path / f"out.{to}"
    export_store(store, path)
    if to == "npz":
        with np.load(path) as found:
            arrays = dict(found)
        arrays["video"] = arrays["video"] + 1
        np.savez(path, **arrays)
    elif to == "h5":
        with h5py.File(path, "r+") as root:
            root["video"][0, 0] += 1
    elif to == "safetensors":
        data = path.read_bytes()
        row = store.embeddings("video").numpy()[0].tobytes()
        assert data.count(row) == 1
        path.write_bytes(data.replace(row, row[::-1]))
    elif to == "csv":
        first = str(store.embeddings("video").numpy()[0, 0])
        text = path.read_bytes().decode()
        assert text.count(first) == 1
        path.write_bytes(text.replace(first, "0.5").encode())
    else:
        table = pq.read_table(path)
        vectors = table.column("vector").to_pylist()
        vectors[-2] = [0.5] * 4
        place = table.column_names.index("vector")
        pq.write_table(table.set_column(place, "vector", [vectors]).cast(table.schema), path)
    with pytest.raises(UserError, match="the content is not what gram exported"):
        import_features(path, dry_run=True)
    with pytest.raises(UserError, match="the content is not what gram exported"):
        restore(path, tmp_path / "again")
    export_store(store, path)
    with pytest.raises(UserError, match=r"restored since .*again was begun, add --overwrite"):
        restore(path, tmp_path / "again")
    restore(path, tmp_path / "again", overwrite=True)
    assert files_of(tmp_path / "again") == files_of(store.path)


@pytest.mark.parametrize("to", NAMES)
def test_what_was_found_of_the_model_comes_back(to: str, store: Store, tmp_path: Path) -> None:
    keep_notes(store.path, {"video": "its encoder is not deterministic"})
    export_store(store.path, tmp_path / f"out.{to}")
    import_features(tmp_path / f"out.{to}", tmp_path / "again")
    assert files_of(tmp_path / "again") == files_of(store.path)
    assert open_store(tmp_path / "again").findings == {"video": "its encoder is not deterministic"}


@pytest.mark.parametrize("to", NAMES)
def test_any_file_cut_short_or_damaged_is_a_sentence(to: str, store: Store, tmp_path: Path) -> None:
    export_store(store, tmp_path / f"out.{to}")
    data = (tmp_path / f"out.{to}").read_bytes()
    rng = np.random.default_rng(1)
    path = tmp_path / f"damaged.{to}"
    for round_ in range(60):
        damaged = bytearray(data[: int(rng.integers(1, len(data)))] if round_ % 2 else data)
        for place in rng.integers(0, len(damaged), size=round_ % 5):
            damaged[place] = int(rng.integers(256))
        path.write_bytes(damaged)
        try:
            found = restore(path, tmp_path / f"again{round_}")
        except UserError as error:
            assert str(error)
        else:
            assert found == store.fingerprint()


def test_what_is_no_export(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", video=np.zeros((2, 2)))
    (tmp_path / "a.csv").write_text("id,split\n1,a\n")
    (tmp_path / "a.txt").write_text("text")
    (tmp_path / "empty").write_bytes(b"")
    for name in ("a.npz", "a.csv", "a.txt", "empty"):
        assert not is_export(tmp_path / name)
        with pytest.raises(UserError, match="is not an export of gram"):
            restore(tmp_path / name, tmp_path / "store")


def test_files_of_two_stores(store: Store, tmp_path: Path) -> None:
    export_store(store, tmp_path / "a", to="npz", per_modality=True)
    export_store(written(tmp_path / "other", of_ids(IDS, "audio")), tmp_path / "b.npz")
    with pytest.raises(UserError, match="was exported from another store"):
        restore([tmp_path / "a" / "text.npz", tmp_path / "b.npz"], tmp_path / "again")
    with pytest.raises(UserError, match="'text' is in two of the files"):
        restore([tmp_path / "a" / "text.npz", tmp_path / "a" / "text.npz"], tmp_path / "again")


@pytest.mark.parametrize(
    ("name", "how", "message"),
    [
        ("out.xyz", {}, r"exported by its suffix: \.npz, "),
        ("out", {"to": "np"}, "Unknown format 'np'. Did you mean 'npz'"),
        ("out", {"per_modality": True}, "name the format of its files"),
        ("out.npz", {"project": "pca"}, "npz has none. Write .parquet"),
        ("out.csv", {"project": "tsne"}, "--project 'tsne' is none of pca, umap"),
        ("store/out.npz", {}, "the store that is read"),
        ("no/out.npz", {}, "Make the folder first"),
        ("folder", {"to": "npz"}, "is a folder; name a file. With --per-modality"),
        ("pipe.npz", {}, "is a pipe or device"),
    ],
)
def test_outputs_that_cannot_be(name: str, how: Any, message: str, store: Store, tmp_path: Path) -> None:
    import os

    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe.npz")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UserError, match=message):
        export_store(store, tmp_path / name, **how)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_link_is_followed_and_an_older_file_stays_until_the_new_one_is_whole(store: Store, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out.npz").symlink_to(tmp_path / "elsewhere" / "real.npz")
    export_store(store, tmp_path / "out.npz")
    assert (tmp_path / "out.npz").is_symlink()
    before = (tmp_path / "elsewhere" / "real.npz").read_bytes()
    shard = store.path / "shards/00001.safetensors"
    shard.write_bytes(shard.read_bytes()[:-1] + b"\0")
    with pytest.raises(UserError, match=r"00001.safetensors is damaged"):
        export_store(open_store(store.path), tmp_path / "out.npz")
    assert (tmp_path / "elsewhere" / "real.npz").read_bytes() == before
    assert [one.name for one in (tmp_path / "elsewhere").iterdir()] == ["real.npz"]


def test_umap_is_named_where_it_is_not_there(store: Store, tmp_path: Path) -> None:
    if __import__("importlib.util").util.find_spec("umap"):
        pytest.skip("umap-learn is installed")
    with pytest.raises(UserError, match="pip install umap-learn"):
        export_store(store, tmp_path / "out.csv", project="umap")


def test_umap_of_two_vectors_is_refused_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gramcli.exchange.projecting.import_module", lambda name: None)
    store = written(tmp_path / "store", of_ids(["a", "b"], "video"))
    with pytest.raises(UserError, match="UMAP needs 5 vectors, here are 2"):
        export_store(store, tmp_path / "x.parquet", project="umap")
