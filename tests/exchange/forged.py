"""Hostile files of every format that is imported, made by hand or by the library of the format."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

FORGE = Callable[[Path], object]


class Calls:
    """Pickles as a call of any function."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.function, self.arguments


def glob(module: str, name: str, arguments: bytes = b"(tR", protocol: bytes = b"") -> bytes:
    return protocol + b"c" + module.encode() + b"\n" + name.encode() + b"\n" + arguments + b"."


def stacked(module: str, name: str) -> bytes:
    """The name by STACK_GLOBAL, as protocol 4 writes it."""
    parts = b"".join(b"\x8c" + bytes([len(one)]) + one.encode() for one in (module, name))
    return b"\x80\x04" + parts + b"\x93)R."


NAMES = [
    ("os", "system"), ("posix", "system"), ("subprocess", "Popen"), ("builtins", "eval"), ("builtins", "exec"),
    ("builtins", "getattr"), ("builtins", "__import__"), ("builtins", "open"), ("builtins", "compile"),
    ("importlib", "import_module"), ("shutil", "rmtree"), ("pathlib", "Path"), ("socket", "socket"), ("pty", "spawn"),
    ("ctypes", "CDLL"), ("operator", "attrgetter"), ("functools", "partial"), ("numpy", "load"), ("numpy", "fromfile"),
    ("numpy", "memmap"), ("numpy.testing._private.utils", "runstring"), ("torch", "load"),
    ("torch._utils", "_rebuild_tensor_v2"),
    ("pickle", "loads"), ("pandas", "read_pickle"), ("copyreg", "_reconstructor"), ("gramcli.cli.main", "main"),
    ("collections", "Counter"), ("datetime", "datetime"), ("webbrowser", "open"),
]  # fmt: skip


def array_state(shape: str, dtype: str, data: bytes, fortran: str = "I00") -> bytes:
    """A pickle of {'a': array} by hand: the shape and type as text, whatever they are."""
    kind = b"cnumpy\ndtype\n(V" + dtype.encode() + b"\nI00\nI01\ntR"
    made = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntc_codecs\nencode\n(Vb\nVlatin1\ntRtR"
    held = b"B" + struct.pack("<I", len(data)) + data
    return b"\x80\x03}Va\n" + made + b"(I1\n" + shape.encode() + kind + fortran.encode() + b"\n" + held + b"tbs."


PICKLES: dict[str, bytes] = {
    **{f"code {module}.{name}": glob(module, name) for module, name in NAMES},
    **{f"stacked {module}.{name}": stacked(module, name) for module, name in NAMES[:8]},
    "an instance by INST": b"(S'touch PWNED'\nios\nsystem\n.",
    "an object by OBJ": b"(cos\nsystem\nS'touch PWNED'\no.",
    "code in a value": pickle.dumps({"a": np.zeros((2, 3), np.float32), "b": Calls(os.system, "touch PWNED")}),
    "code in an array of objects": pickle.dumps({"a": np.array([Calls(os.system, "touch PWNED")], dtype=object)}),
    "a persistent id": b"\x80\x02Vx\nQ.",
    "an extension": b"\x80\x02\x82\x01.",
    "a buffer from elsewhere": b"\x80\x05\x97.",
    "bytes of an exabyte": b"\x80\x04\x8e" + struct.pack("<Q", 2**60) + b"x.",
    "bytes of 32 gigabytes": b"\x80\x04\x8e" + struct.pack("<Q", 2**35) + b"x.",
    "a text of two gigabytes": b"\x80\x02X" + struct.pack("<I", 2**31 - 1) + b"x.",
    "a number of two gigabytes": b"\x80\x02\x8b" + struct.pack("<I", 2**31 - 1) + b"x.",
    "a frame of an exabyte": b"\x80\x04\x95" + struct.pack("<Q", 2**60) + b"}.",
    "a memo of four billion": b"\x80\x02}r" + struct.pack("<I", 2**32 - 2) + b".",
    "a memo by its text": b"\x80\x02}p4000000000\n.",
    "an array of petabytes": array_state("(L1000000000000L\nL512L\nt", "f4", b"1234"),
    "an array of negative size": array_state("(I-1\nI-4\nt", "f4", b"1234" * 4),
    "an array of a size that is a text": array_state("(Vx\nt", "f4", b"1234"),
    "an array of a size of 60 axes": array_state("(" + "I1\n" * 60 + "t", "f4", b"1234"),
    "an array shorter than it says": array_state("(I4\nt", "f4", b"1234"),
    "an array of times": array_state("(I1\nt", "M8", b"12345678"),
    "an array of pointers": array_state("(I1\nt", "O8", b"12345678"),
    "an array of records": array_state("(I1\nt", "V8", b"12345678"),
    "an array without its numbers": b"\x80\x03}Va\ncnumpy.core.multiarray\n_reconstruct\n"
    b"(cnumpy\nndarray\n(I0\ntVb\ntRs.",
    "lists in lists in lists": b"\x80\x02}Va\n" + b"]" * 50_000 + b"a" * 49_999 + b"s.",
    "itself": b"\x80\x02}q\x00Va\nh\x00s.",
    "ten to the eighth": b"\x80\x02}Va\n]q\x00" + b"".join(
        b"(" + b"h" + bytes([k]) + b"2" * 99 + b"l" + b"q" + bytes([k + 1]) for k in range(4)
    ) + b"s.",
    "cut off": pickle.dumps({"a": np.zeros((20, 3), np.float32)})[:-40],
    "no dictionary": pickle.dumps("features"),
    "nothing in it": pickle.dumps({}),
    "numbers of whole kind": pickle.dumps({"video": np.zeros((4, 3), np.int64)}),
}  # fmt: skip


def header(shape: str, descr: str = "'<f4'", order: str = "False") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


NPYS: dict[str, bytes] = {
    "of petabytes": header("(1000000000000, 512)") + b"1234",
    "of more bytes than 64 bits count": header("(4611686018427387904, 4)") + b"1234",
    "of negative size": header("(-4, 4)") + b"1234" * 16,
    "of objects": header("(1,)", "'|O'") + pickle.dumps([Calls(os.system, "touch PWNED")]),
    "of records": header("(1,)", "[('a', '<f4'), ('b', '|O')]") + b"1234",
    "of code as its header": header("__import__('os').system('touch PWNED')") + b"1234",
    "of a header of another kind": b"\x93NUMPY\x01\x00\x04\x00[1]\n",
    "of a header of four gigabytes": b"\x93NUMPY\x02\x00\xf0\xff\xff\xff{",
    "of a header nested without end": b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 65535,
    "of version 9": b"\x93NUMPY\x09\x00\x04\x00{}  ",
    "of no width": header("(5, 0)"),
    "of no axes": header("()") + b"1234",
    "cut off": header("(4, 4)") + b"1234",
    "of whole numbers": header("(4, 4)", "'<i4'") + b"1234" * 16,
}


def npz(path: Path, data: bytes, **more: object) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("video.npy", data, **more)


def _packed(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.compress_type = zipfile.ZIP_DEFLATED  # which an info of one's own does not take from its archive
    return info


def bomb(path: Path) -> None:
    """A gigabyte of zeros in a megabyte."""
    with zipfile.ZipFile(path, "w") as archive, archive.open(_packed("video.npy"), "w", force_zip64=True) as out:
        out.write(header("(65536, 4096)"))
        for _ in range(1024):
            out.write(bytes(2**20))


def forged_size(path: Path) -> None:
    """The directory says less than the member unpacks to."""
    npz(path, header("(64, 4)") + bytes(1024))
    data = bytearray(path.read_bytes())
    place = data.index(b"PK\x01\x02") + 24
    data[place : place + 4] = struct.pack("<I", 100)
    path.write_bytes(bytes(data))


def overlapping(path: Path) -> None:
    """Many names of one member: as a bomb without nesting has them."""
    npz(path, header("(4, 4)") + bytes(64))
    data = path.read_bytes()
    start, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    entry = data[start:end]
    entries = b"".join(entry.replace(b"video.npy", b"v%04d.npy" % k) for k in range(5000))
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 5000, 5000, len(entries), start, 0)
    path.write_bytes(data[:start] + entries + tail)


def h5(build: Callable[[object], object]) -> FORGE:
    def forge(path: Path) -> None:
        with h5py.File(path, "w") as file:
            build(file)

    return forge


def virtual(file: object) -> None:
    layout = h5py.VirtualLayout(shape=(4, 4), dtype="f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", shape=(4, 4))
    file.create_virtual_dataset("video", layout)


def ring(file: object) -> None:
    group = file.create_group("a")
    group["b"] = file["/"]


def table(columns: dict[str, object], **more: object) -> FORGE:
    return lambda path: pq.write_table(pa.table(columns), path, **more)


def nulls(path: Path) -> None:
    """Four hundred million rows of null: a column of them is a few bytes for each row group."""
    schema = pa.schema([("video", pa.list_(pa.float32()))])
    with pq.ParquetWriter(path, schema) as out:
        for _ in range(5):
            out.write_table(pa.table([pa.nulls(1_000_000, pa.list_(pa.float32()))], schema=schema))


def tar(*members: tuple[tarfile.TarInfo, bytes]) -> FORGE:
    def forge(path: Path) -> None:
        with tarfile.open(path, "w") as out:
            for info, data in members:
                out.addfile(info, io.BytesIO(data))

    return forge


def member(
    name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = ""
) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = len(data), kind, link
    return info, data


def npy(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


GOOD = npy(np.ones((2, 3), np.float32))


def announcing(kind: bytes, size: int) -> FORGE:
    """A header that announces more than it has."""

    def forge(path: Path) -> None:
        info = tarfile.TarInfo("a.npy")
        info.type, info.size = kind, size
        path.write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(4096))

    return forge


def safetensors(header_text: object, data: bytes = b"") -> bytes:
    text = json.dumps(header_text).encode()
    return struct.pack("<Q", len(text)) + text + data


def folder(**files: bytes | str) -> FORGE:
    def forge(path: Path) -> None:
        path.mkdir()
        for name, data in files.items():
            target = path / name.replace("__", ".")
            target.write_bytes(data if isinstance(data, bytes) else data.encode())

    return forge


def written(data: bytes) -> FORGE:
    return lambda path: path.write_bytes(data)


def torch_file(value: object) -> FORGE:
    def forge(path: Path) -> None:
        import torch

        torch.save(value() if callable(value) else value, path)

    return forge


def spread() -> object:
    import torch

    return {"video": torch.zeros(1).expand(100_000_000, 512)}


HOSTILE: dict[str, tuple[str, FORGE]] = {
    **{f"pickle: {name}": ("x.pkl", written(data)) for name, data in PICKLES.items()},
    **{f"npy: {name}": ("video.npy", written(data)) for name, data in NPYS.items()},
    **{f"npz: {name}": ("x.npz", lambda path, data=data: npz(path, data)) for name, data in list(NPYS.items())[:6]},
    "npz: a bomb": ("x.npz", bomb),
    "npz: a size that is forged": ("x.npz", forged_size),
    "npz: many names of one member": ("x.npz", overlapping),
    "npz: cut off": ("x.npz", written(b"PK\x03\x04" + bytes(200))),
    "torch: code": ("x.pt", torch_file(lambda: {"a": Calls(os.system, "touch PWNED")})),
    "torch: more numbers than are stored": ("x.pt", torch_file(spread)),
    "torch: cut off": ("x.pt", written(b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.")),
    "safetensors: beyond its end": (
        "x.safetensors",
        written(safetensors({"video": {"dtype": "F32", "shape": [10**9, 512], "data_offsets": [0, 2048 * 10**9]}})),
    ),
    "safetensors: a product that overflows": (
        "x.safetensors",
        written(safetensors({"video": {"dtype": "F32", "shape": [2**62, 4], "data_offsets": [0, 0]}})),
    ),
    "safetensors: negative": (
        "x.safetensors",
        written(safetensors({"video": {"dtype": "F32", "shape": [-1, 4], "data_offsets": [0, 4]}}, b"1234")),
    ),
    "hdf5: a link to another file": (
        "x.h5", h5(lambda f: f.__setitem__("video", h5py.ExternalLink("/etc/passwd", "/x")))),
    "hdf5: a soft link": ("x.h5", h5(lambda f: f.__setitem__("video", h5py.SoftLink("/nowhere")))),
    "hdf5: numbers in another file": (
        "x.h5", h5(lambda f: f.create_dataset("video", (4, 4), "f4", external=[("/etc/passwd", 0, 64)]))),
    "hdf5: a virtual dataset": ("x.h5", h5(virtual)),
    "hdf5: lists of bytes": ("x.h5", h5(lambda f: f.create_dataset("video", (4,), h5py.vlen_dtype(np.uint8)))),
    "hdf5: references": ("x.h5", h5(lambda f: f.create_dataset("video", (4,), h5py.ref_dtype))),
    "hdf5: petabytes of nothing": (
        "x.h5", h5(lambda f: f.create_dataset("video", (10**12, 512), "f4", chunks=(64, 512)))),
    "hdf5: gigabytes of nothing": (
        "x.h5", h5(lambda f: f.create_dataset("video", (10**6, 4096), "f4", chunks=(8, 512)))),
    "hdf5: a chunk of gigabytes": (
        "x.h5", h5(lambda f: f.create_dataset("video", (4, 2**28), "f4", chunks=(1, 2**27), compression="gzip"))),
    "hdf5: a ring": ("x.h5", h5(ring)),
    "hdf5: texts without end": ("x.h5", h5(lambda f: f.create_dataset("ids", (10**10,), "S100", chunks=(100,)))),
    "hdf5: cut off": ("x.h5", written(b"\x89HDF\r\n\x1a\n" + bytes(100))),
    "parquet: five million nulls": ("x.parquet", nulls),
    "parquet: a null for every row": ("x.parquet", table({"video": pa.nulls(1000, pa.list_(pa.float32()))})),
    "parquet: no vectors": ("x.parquet", table({"id": ["a"], "text": ["b"]})),
    "parquet: vectors of two lengths": ("x.parquet", table({"video": [[1.0, 2.0], [1.0]]})),
    "parquet: cut off": ("x.parquet", written(b"PAR1" + bytes(100))),
    "parquet: a footer of gigabytes": ("x.parquet", written(b"PAR1" + bytes(8) + b"\xff\xff\xff\x7fPAR1")),
    "tar: a name that leads out": ("x.tar", tar(member("../PWNED.npy", GOOD))),
    "tar: an absolute name": ("x.tar", tar(member("/tmp/PWNED.npy", GOOD))),
    "tar: out by the middle": ("x.tar", tar(member("a/../../PWNED.npy", GOOD))),
    "tar: a soft link": ("x.tar", tar(member("a.npy", kind=tarfile.SYMTYPE, link="/etc/passwd"))),
    "tar: a hard link": ("x.tar", tar(member("a.npy", kind=tarfile.LNKTYPE, link="/etc/passwd"))),
    "tar: a device": ("x.tar", tar(member("a.npy", kind=tarfile.CHRTYPE))),
    "tar: a pipe": ("x.tar", tar(member("a.npy", kind=tarfile.FIFOTYPE))),
    "tar: a key twice": ("x.tar", tar(member("a.npy", GOOD), member("a.npy", GOOD))),
    "tar: a member of eight gigabytes": ("x.tar", announcing(tarfile.REGTYPE, 2**33 - 1)),
    "tar: a name of eight gigabytes": ("x.tar", announcing(tarfile.GNUTYPE_LONGNAME, 2**33 - 1)),
    "tar: attributes of eight gigabytes": ("x.tar", announcing(tarfile.XHDTYPE, 2**33 - 1)),
    "tar: numbers that are not there": ("x.tar", tar(member("a.npy", NPYS["of petabytes"]))),
    "tar: objects": ("x.tar", tar(member("a.npy", NPYS["of objects"]))),
    "tar: a tensor that is code": ("x.tar", tar(member("a.pth", PICKLES["code os.system"]))),
    "tar: no features": ("x.tar", tar(member("a.txt", b"words"))),
    "folder: an item of petabytes": ("d", folder(a__npy=NPYS["of petabytes"])),
    "folder: an item of objects": ("d", folder(a__npy=NPYS["of objects"])),
    "folder: an index that leads beyond": ("d", folder(**{
        "vectors__npy": bytes(64), "index__json": json.dumps({"0" * 64: 10**12}), "dimension": "4"})),
    "folder: a dimension that is none": ("d", folder(**{
        "vectors__npy": bytes(64), "index__json": "{}", "dimension": "9" * 60})),
    "folder: data files of other folders": (
        "d", folder(state__json='{"_data_files": [{"filename": "../../etc/passwd"}]}')),
    "folder: splits of other folders": ("d", folder(dataset_dict__json='{"splits": ["../.."]}')),
    "folder: a damaged Arrow file": ("d", folder(
        state__json='{"_data_files": [{"filename": "a.arrow"}]}',
        a__arrow=b"\xff\xff\xff\xff\xff\xff\xff\x7f" + bytes(64))),
    "a pipe": ("x.npy", os.mkfifo),
    "a device": ("x.npy", lambda path: path.symlink_to("/dev/zero")),
    "a link to itself": ("x.npy", lambda path: path.symlink_to(path)),
    "nothing at all": ("x.npy", written(b"")),
    "text": ("x.npy", written(b"hello")),
    "a folder of nothing": ("d", lambda path: path.mkdir()),
}  # fmt: skip
