"""Batches halve when memory runs out, and grow where asked to; the store is the same."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gramcli.datasets import open_dataset
from gramcli.embedding.batches import LARGEST, Batches, is_out_of_memory
from gramcli.embedding.embed import embed
from gramcli.embedding.options import EmbedOptions
from gramcli.embedding.writing import write_embeddings
from gramcli.store import open_store
from tests.embedding.test_accounting import _shards
from tests.encoders.soundness import faulty
from tests.media_factory import write_wav

ERRORS = {
    "numpy": MemoryError("Unable to allocate 149. GiB for an array with shape (200000, 100000)"),
    "torch on a CPU": RuntimeError(
        "[enforce fail at alloc_cpu.cpp:121] err == 0. DefaultCPUAllocator: can't allocate memory"
    ),
    "torch on Windows": RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes."),
    "cublas": RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    "cuda": RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB."),
}


class Small(faulty.Plain):
    """Memory for `most` items of a modality at a time; items longer than `longest` words do not fit at all."""

    def __init__(self, most: int, error: Exception = ERRORS["numpy"], longest: int = 10**6) -> None:
        super().__init__()
        self.most, self.error, self.longest, self.spec = most, error, longest, "small"
        self.seen: list[int] = []

    def encode(self, inputs: Any) -> dict[str, Any]:
        n = len(next(iter(inputs.values())))
        self.seen.append(n)
        if n > self.most or any(len(text.split()) > self.longest for text in inputs.get("text", ())):
            raise self.error
        return super().encode(inputs)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "clips"
    made.mkdir()
    for number in range(11):
        write_wav(made / f"{number:02d}.wav", seconds=0.1 + 0.02 * number)
        (made / f"{number:02d}.txt").write_text(f"caption {number}\n" + " ".join(["word"] * (1 + number)) + "\n")
    return made


@pytest.mark.parametrize("error", ERRORS.values(), ids=list(ERRORS))
@pytest.mark.parametrize("most", [1, 2, 5])
def test_the_store_is_that_of_a_run_with_memory_enough(folder, tmp_path, most, error):
    encoder = Small(most, error)
    summary = embed(folder, tmp_path / "little", model=encoder, workers=0)
    assert not summary.left_out
    assert max(encoder.seen) > most
    too_large = [n for n in encoder.seen if n > most]
    assert set(too_large) <= {11, 5, 16, 8, 4, 2}, "halves of the 11 sounds and of 16 captions"
    assert len(too_large) <= 9, "what was too large is not tried again"
    embed(folder, tmp_path / "enough", model=Small(10**6), workers=0)
    assert _shards(tmp_path / "little") == _shards(tmp_path / "enough")


def test_an_item_that_does_not_fit_alone_fails_and_no_other_does(folder, tmp_path):
    summary = embed(folder, tmp_path / "s", model=Small(16, longest=10), workers=0)
    assert [(one.id, one.modality) for one in summary.left_out] == [("10", "text")]
    assert summary.exit_code == 3
    assert summary.captions == 21
    store = open_store(tmp_path / "s")
    whole = write_embeddings(open_dataset(str(folder)), Small(16), tmp_path / "t", options=EmbedOptions(workers=0))
    assert whole.captions == 22
    np.testing.assert_array_equal(
        store.embeddings("audio").numpy(), open_store(tmp_path / "t").embeddings("audio").numpy()
    )


def test_what_failed_for_memory_says_so(tmp_path):
    folder = tmp_path / "clips"
    folder.mkdir()
    write_wav(folder / "a.wav", seconds=0.1)
    write_wav(folder / "b.wav", seconds=0.1)
    (folder / "b.txt").write_text("a b c\n")
    (folder / "a.txt").write_text("a\n")
    embed(folder, tmp_path / "s", model=Small(16, longest=2), workers=0)
    assert open_store(tmp_path / "s").status("text") == [
        "ok",
        "failed: out of memory with this item alone; use a device with more memory",
    ]


def test_another_error_is_no_lack_of_memory():
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        Batches(4).encode(Small(1, RuntimeError("mat1 and mat2 shapes cannot be multiplied")), {"text": ["a", "b"]})
    assert not is_out_of_memory(ValueError("out of memory"))


def sizes_after(batches: Batches, encoder: Small, rounds: int) -> list[int]:
    sizes = []
    for _ in range(rounds):
        n = batches.size(("text",))
        sizes.append(n)
        rows = batches.encode(encoder, {"text": [str(k) for k in range(n)]})["text"]
        np.testing.assert_array_equal(rows, faulty.Plain().encode({"text": [str(k) for k in range(n)]})["text"])
    return sizes


def test_they_grow_to_what_fits_and_stay_there():
    assert sizes_after(Batches(4, grows=True), Small(20), 9) == [4, 4, 8, 8, 16, 16, 32, 16, 16]


def test_they_grow_to_a_limit():
    assert max(sizes_after(Batches(512, grows=True), Small(10**6), 6)) == LARGEST
    assert set(sizes_after(Batches(2000, grows=True), Small(10**6), 4)) == {2000}, "more was asked for"


def test_they_do_not_grow_on_a_cpu():
    assert set(sizes_after(Batches(4), Small(10**6), 8)) == {4}


def test_each_set_of_modalities_has_its_own_size():
    batches = Batches(8)
    batches.encode(Small(2), {"text": ["a"] * 8})
    assert (batches.size(("text",)), batches.size(("audio",)), batches.size(("video", "audio"))) == (2, 8, 8)


def test_growing_does_not_change_the_store(folder, tmp_path):
    for name, grows in (("a", False), ("b", True)):
        options = EmbedOptions(workers=0, batch_size=1, grows=grows)
        encoder = Small(10**6)
        write_embeddings(open_dataset(str(folder)), encoder, tmp_path / name, options=options)
        assert (max(encoder.seen) > 2) == grows
    assert _shards(tmp_path / "a") == _shards(tmp_path / "b")


LIMITED = """
import resource, sys
from pathlib import Path
import numpy as np, torch
from gramcli.embedding.embed import embed
from tests.encoders.soundness import faulty

class Hungry(faulty.Plain):
    seen = []
    def encode(self, inputs):
        n = len(next(iter(inputs.values())))
        self.seen.append(n)
        held = KIND  # 200 MB an item, asked for and never touched
        return super().encode(inputs)

torch.zeros(4) @ torch.zeros(4)
pages = int(Path('/proc/self/statm').read_text().split()[0])
resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 900_000_000,) * 2)
summary = embed(sys.argv[1], sys.argv[2], model=Hungry(), workers=0)
print(summary.captions, len(summary.left_out), sorted(set(Hungry.seen)))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits the address space as Linux does")
@pytest.mark.parametrize(
    "kind", ["np.empty(25_000_000 * n)", "torch.empty(25_000_000 * n, dtype=torch.float64)"], ids=["numpy", "torch"]
)
def test_memory_that_really_runs_out(folder, tmp_path, kind, forks):
    code = textwrap.dedent(LIMITED).replace("KIND", kind)
    done = forks.run(code, [folder, tmp_path / "little"])
    assert done.returncode == 0, done.stderr
    captions, failed, seen = done.stdout.split(maxsplit=2)
    assert (captions, failed) == ("22", "0"), done.stdout
    assert "16" in seen and "4" in seen, "halved until it fitted"
    embed(folder, tmp_path / "enough", model=faulty.Plain("hungry"), workers=0)
    assert _shards(tmp_path / "little") == _shards(tmp_path / "enough")
