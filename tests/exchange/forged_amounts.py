"""Hostile files that are small and hold much: what each holds is told before it is held, in words named here."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Iterable
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.exchange.forged import FORGE, h5, header, member, npy, safetensors, tar, written


def pickled_call(name: bytes, value: bytes, times: int) -> bytes:
    """A list of the results of one call on one value that is named many times."""
    return b"\x80\x02c" + name + b"q\x00" + value + b"\x85q\x01(" + b"h\x00h\x01R" * times + b"l."


PICKLES: dict[str, tuple[bytes, str]] = {
    "a key of nested tuples": (
        b"\x80\x02}K\x01\x85q\x00" + b"2\x86" * 38 + b"K\x01s.", "a tuple as a key"),
    "keys of nested tuples": (
        b"\x80\x02}(K\x01\x85q\x00" + b"2\x86" * 38 + b"K\x01u.", "a tuple as a key"),
    "a dictionary of nested tuples": (
        b"\x80\x02ccollections\nOrderedDict\n]K\x01\x85" + b"2\x86" * 38 + b"K\x01\x86a\x85R.", "a tuple as a key"),
    "a set of nested tuples": (
        b"\x80\x04\x8f(K\x01\x85q\x00" + b"2\x86" * 38 + b"\x90.", "a tuple as a key"),
    "millions of sets": (b"\x80\x04](" + b"\x8f" * 7_900_000 + b"e.", "more than 2,000,000 lists"),
    "millions of dictionaries": (b"\x80\x02](" + b"}" * 7_900_000 + b"e.", "more than 2,000,000 lists"),
    "one text encoded many times": (
        pickled_call(b"_codecs\nencode\n", b"X" + struct.pack("<I", 10**6) + b"x" * 10**6, 10_000), "over and over"),
    "one list copied many times": (
        pickled_call(b"builtins\nlist\n", b"](" + b"N" * 10**5 + b"e", 100_000), "over and over"),
    "numbers of one hash": (
        b"\x80\x02}(" + b"".join(
            b"\x8a\x0e" + (k * (2**61 - 1)).to_bytes(14, "little") + b"N" for k in range(10**5)) + b"u.", "64 bits"),
}  # fmt: skip

NPYS: dict[str, tuple[bytes, str]] = {
    "ten billion texts of no characters": (header("(10000000000,)", "'<U0'"), "of no bytes"),
    "a billion texts of no bytes": (header("(1000000000,)", "'|S0'"), "of no bytes"),
    "a million million rows of no width": (header("(1000000000000, 0)"), "of no bytes"),
    "a billion items of no steps": (header("(1000000000, 0, 8)"), "of no bytes"),
    "no rows of a million million": (header("(0, 1000000000000)"), ""),
    "five million texts": (header("(5000000,)", "'|S2'") + b"ab" * 5_000_000, "one import takes 4,000,000"),
}


def zipped(path: Path, members: Iterable[tuple[str, bytes]]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, data in members:
            archive.writestr(name, data)


VIDEO = ("video.npy", npy(np.ones((4, 4), np.float32)))


def many_texts(path: Path) -> None:
    """A dozen arrays of texts that are under every limit by themselves."""
    texts = header("(3900000,)", "'|S8'") + b"abcdefgh" * 3_900_000
    zipped(path, [VIDEO, *((f"ids{k}.npy", texts) for k in range(12))])


def long_mark(path: Path) -> None:
    """A description of a gigabyte of blanks, as only an export of ours has one."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("gram.json.npy", "w", force_zip64=True) as out:
            out.write(header(f"({2**30},)", "'|u1'"))
            for _ in range(1024):
                out.write(b" " * 2**20)
        archive.writestr(*VIDEO)


def long_mark_of_h5(file: object) -> None:
    file["video"] = np.ones((4, 4), np.float32)
    file.create_dataset("gram.json", (2**30 - 1,), "u1", chunks=(2**20,), fillvalue=32)


def facts_of(dim: int) -> bytes:
    """What an export says of a store of one item and one embedding of so many dimensions."""
    facts = {
        "gram_export": 1, "model": {"id": "x", "shared_space": True}, "modalities": {"video": dim}, "held": ["video"],
        "dataset": {"id": "x", "protocol": None, "annotation_sha256": None}, "shard_size": 64, "sources": {},
        "texts_known": False, "fingerprint": "0" * 64,
    }  # fmt: skip
    return json.dumps(facts).encode()


ITEM = b"id,split,label,text_start,text_end,video\r\na,,,0,0,ok\r\n"
GIGABYTE = 2**28  # float32


def marked_npz(path: Path) -> None:
    """An export of ours with a gigabyte of zeros that is packed into a megabyte."""
    described = [("gram.json.npy", npy(np.frombuffer(facts_of(GIGABYTE), "u1")))]
    zipped(path, [*described, ("items.csv.npy", npy(np.frombuffer(ITEM, "u1")))])
    with (
        zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("video.npy", "w", force_zip64=True) as out,
    ):
        out.write(header(f"(1, {GIGABYTE})"))
        for _ in range(1024):
            out.write(bytes(2**20))


def marked_h5(file: object) -> None:
    """An export of ours with a gigabyte that was never written."""
    file["gram.json"], file["items.csv"] = np.frombuffer(facts_of(GIGABYTE), "u1"), np.frombuffer(ITEM, "u1")
    file.create_dataset("video", (1, GIGABYTE), "<f4", chunks=(1, 2**20))


def marked_parquet(path: Path) -> None:
    """An export of ours with a vector of one number, over and over."""
    row = {"id": "a", "split": "", "label": "", "modality": "video", "caption": None, "status": "ok", "digest": None}
    columns = {name: pa.array([value], pa.int32() if name == "caption" else pa.string()) for name, value in row.items()}
    n = GIGABYTE // 8
    vector = pa.ListArray.from_arrays(pa.array([0, n], pa.int32()), pa.array(np.ones(n, np.float32)))
    table = pa.table({**columns, "vector": vector}).replace_schema_metadata({"gram.json": facts_of(n)})
    pq.write_table(table, path, compression="zstd")


def marked_texts(path: Path) -> None:
    """An export of ours with one long text in all rows."""
    n, long = 1000, "x" * 2_000_000
    columns = {name: [""] * n for name in ("split", "label", "digest")} | {"modality": ["video"] * n}
    words = {"id": [long] * n, **columns, "caption": pa.nulls(n, pa.int32()), "status": ["ok"] * n}
    vectors = pa.array(np.ones((n, 4), np.float32).tolist(), pa.list_(pa.float32()))
    held = {**words, "id": pa.DictionaryArray.from_arrays(pa.array([0] * n, pa.int32()), pa.array([long]))}
    table = pa.table({**held, "vector": vectors}).replace_schema_metadata({"gram.json": facts_of(4)})
    pq.write_table(table, path)


def long_fill(file: object) -> None:
    file["video"] = np.ones((100_000, 4), np.float32)
    file.create_dataset("ids", (100_000,), h5py.string_dtype(), fillvalue="x" * 100_000)


def packed_texts(file: object) -> None:
    file["video"] = np.ones((4, 4), np.float32)
    ids = file.create_dataset("ids", (3_900_000,), "S120", chunks=(100_000,), compression="gzip")
    for start in range(0, len(ids), 100_000):
        ids[start : start + 100_000] = np.full(100_000, b"a" * 119)


def one_text(path: Path) -> None:
    """One long text, named by each of many rows."""
    n = 60_000
    texts = pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int32)), pa.array(["x" * 100_000]))
    ids, vectors = pa.array([str(k) for k in range(n)]), pa.array([[1.0, 2.0]] * n, pa.list_(pa.float32()))
    pq.write_table(pa.table({"id": ids, "caption": texts, "vector": vectors}), path)


def one_vector(path: Path) -> None:
    """One number, named by each place of many vectors."""
    piece = pa.FixedSizeListArray.from_arrays(pa.array(np.ones(4096 * 1024, np.float32)), 1024)
    pq.write_table(pa.table({"vector": pa.chunked_array([piece] * 60)}), path, compression="zstd")


def packed(*members: tuple[str, bytes]) -> bytes:
    """An archive of members that take no place."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return out.getvalue()


def packed_tensor(path: Path) -> None:
    """A tensor as torch saves it, packed afterwards, in a shard: it could have any size."""
    import torch

    saved = io.BytesIO()
    torch.save(torch.zeros(1000), saved)
    with zipfile.ZipFile(saved) as archive:
        data = packed(*((name, archive.read(name)) for name in archive.namelist()))
    tar(member("0001.video.pth", data))(path)


def unpacked_archives(path: Path) -> None:
    """Archives in a shard, each of which is under the limit of one."""
    data = packed(("a.npy", npy(np.zeros((1000, 3900), np.float32))))
    tar(*(member(f"{k:04}.npz", data) for k in range(60)))(path)


def many_arrays(path: Path) -> None:
    """An archive in a shard, each array of which is under the limit of one item."""
    array = npy(np.zeros((1000, 3900), np.float32))
    tar(member("0000.npz", packed(*((f"m{k}.npy", array) for k in range(10)))))(path)


def torch_pickle(path: Path, data: bytes) -> None:
    """A file of torch's with a pickle of ours."""
    import torch

    saved = io.BytesIO()
    torch.save(torch.zeros(4), saved)
    with zipfile.ZipFile(saved) as archive, zipfile.ZipFile(path, "w") as out:
        for name in archive.namelist():
            out.writestr(name, data if name.endswith("data.pkl") else archive.read(name))


AMOUNTS: dict[str, tuple[str, FORGE, str]] = {
    **{f"pickle: {name}": ("x.pkl", written(data), said) for name, (data, said) in PICKLES.items()},
    **{f"npy: {name}": ("video.npy", written(data), said) for name, (data, said) in NPYS.items()},
    "npz: thirty million rows": (
        "x.npz", lambda path: zipped(path, [("video.npy", header("(30000000, 1)", "'<f2'") + bytes(60_000_000))]),
        "one import takes 4,000,000"),
    "npz: a dozen arrays of texts": ("x.npz", many_texts, "take more memory"),
    "npz: a description of a gigabyte": ("x.npz", long_mark, "'gram.json' declares 1,073,741,824 bytes"),
    "hdf5: a description of a gigabyte": ("x.h5", h5(long_mark_of_h5), "'gram.json' declares 1,073,741,823 bytes"),
    "npz: an export of packed zeros": ("x.npz", marked_npz, "as no features do"),
    "hdf5: an export that was not written": ("x.h5", h5(marked_h5), "as no features do"),
    "parquet: an export of one number": ("x.parquet", marked_parquet, "as no features do"),
    "parquet: an export of one long text": ("x.parquet", marked_texts, "take more memory"),
    "hdf5: a long text for all that was not written": ("x.h5", h5(long_fill), "fills what was not written"),
    "hdf5: packed texts": ("x.h5", h5(packed_texts), "take more memory"),
    "parquet: one text in all rows": ("x.parquet", one_text, "take more memory"),
    "parquet: one number in all vectors": ("x.parquet", one_vector, "as no features do"),
    "torch: an instruction that is not run": (
        "x.pt", lambda path: torch_pickle(path, b"\x80\x02(\x91."), "holds more than tensors and plain values"),
    "torch: a key of nested tuples": (
        "x.pt", lambda path: torch_pickle(path, PICKLES["a key of nested tuples"][0]), "a tuple as a key"),
    "tar: a packed tensor": ("x.tar", packed_tensor, "is compressed, as torch.save writes no file"),
    "tar: archives of much": ("x.tar", unpacked_archives, "and the archives before it unpack to more than"),
    "tar: an archive of many arrays": ("x.tar", many_arrays, "for one item"),
    "safetensors: rows of no width": (
        "x.safetensors",
        written(safetensors({"video": {"dtype": "F32", "shape": [10**12, 0], "data_offsets": [0, 0]}})),
        "of no bytes"),
}  # fmt: skip
