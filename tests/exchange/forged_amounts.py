"""Hostile files that are small and hold much: what each holds is told before it is held, in words that are named here."""

from __future__ import annotations

import io
import json
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterable
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

AMOUNTS: dict[str, tuple[str, FORGE, str]] = {
    **{f"pickle: {name}": ("x.pkl", written(data), said) for name, (data, said) in PICKLES.items()},
}  # fmt: skip
