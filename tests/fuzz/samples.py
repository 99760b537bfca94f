"""Whole files of every kind that gram writes or reads, and the commands that read each."""

from __future__ import annotations

import importlib.util
import io
import json
import pickle
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

import numpy as np
import torch
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import save_file
from typer.testing import CliRunner

from gramcli.alignment.align import align
from gramcli.cli.main import app
from gramcli.encoders.vast.names import expected_shapes
from tests.cli.conftest import make_store
from tests.encoders.vast.checkpoints import HPS, SMALL, random_state
from tests.fuzz import mutations
from tests.fuzz.seals import seal_heads, seal_store
from tests.media_factory import write_wav

_N: Final = 6
_WORDS: Final = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxy")


@dataclass(frozen=True)
class Target:
    """One file to damage.

    Attributes:
        file: Its path in the folder of its group.
        mutations: Ways to damage it, besides by byte and by truncation.
        commands: Command lines that read it.
        seal: Makes the digests that are kept of the file right again, as whoever forges it would.
    """

    file: str
    mutations: Sequence[mutations.Mutation]
    commands: Sequence[str]
    seal: Callable[[Path], None] | None = None


def run(line: str) -> str:
    """Run `gram` in the current folder; its stdout."""
    result = CliRunner().invoke(app, line.split())
    if result.exit_code:
        raise RuntimeError(f"gram {line}: {result.output}{result.exception!r}")
    return result.stdout


def _stores() -> list[Target]:
    """A store of sounds and captions with classes, embedded from files."""
    Path("media").mkdir()
    rows = []
    for k in range(2 * _N):
        write_wav(Path(f"media/{k}.wav"), seconds=0.2)
        split, label = ("train", "test")[k >= _N], ("bell", "dog")[k % 2]
        rows.append(f"i{k},media/{k}.wav,sound {k} of a {label},{label},{split}")
    Path("m.csv").write_text("\n".join(["id,audio,caption,label,split", *rows]) + "\n")
    embed = "embed m.csv -o emb --workers 0"
    run(embed)
    reads = ("inspect emb", "eval emb --task t2a --split test", "matrix emb --task t2a", "inspect emb --verify")
    classes = "eval emb --metrics classification --classifier knn --split test"
    every = (*reads, classes, embed, f"{embed} --retry-failed", f"{embed} --overwrite", "compare emb@cosine emb@gram")
    shard = "emb/shards/00000.safetensors"
    return [
        Target("emb/manifest.json", [mutations.field], every, seal_store),
        Target("emb/manifest.json", [mutations.field], every),
        Target("emb/items.csv", [mutations.cells(",")], every, seal_store),
        Target("emb/inputs.json", [mutations.field], (classes, f"{embed} --retry-failed")),
        Target(shard, [mutations.metadata("gram"), mutations.header], (embed, f"{embed} --retry-failed"), seal_store),
        Target(shard, [mutations.header], every, seal_store),
        Target(shard, [mutations.metadata("gram")], reads),
    ]


def _cache() -> list[Target]:
    """What `gram eval MODEL --dataset` keeps."""
    texts = [f"i{k},a text of {k},text {k}" for k in range(_N)]
    Path("m.csv").write_text("\n".join(["id,caption,subtitle", *texts]) + "\n")
    line = "eval signal --dataset m.csv --text-only --task t2s --workers 0"
    run(line)
    (store,) = Path("cache/stores").iterdir()
    return [
        Target(f"{store}/manifest.json", [mutations.field], (line,), seal_store),
        Target(f"{store}/items.csv", [mutations.cells(",")], (line,), seal_store),
        Target(f"{store}/inputs.json", [mutations.field], (line,)),
    ]


def _heads() -> list[Target]:
    """Heads, and the state of a training that was stopped."""
    store = make_store(Path("emb"))
    line = "align emb -o heads --loss gram --epochs 2 --dim 4 --warm-up 1 --val-split test"
    run(line)

    def stop(done: int, total: int, words: str) -> None:
        raise KeyboardInterrupt

    for name, warm_up in (("begun", 0), ("warming", 2)):
        try:
            align(store, name, loss="gram", epochs=2, dim=4, warm_up=warm_up, val_split="test", watch=_Stopping(stop))
        except KeyboardInterrupt:
            continue
    uses = (
        "inspect heads", line, "eval emb --model heads:heads --task t2va --split test",
        "embed emb --from emb --model heads:heads -o out", "align emb -o other --loss gram --epochs 1 --init heads",
    )  # fmt: skip
    goes_on = "align emb -o begun --loss gram --epochs 2 --dim 4 --warm-up 0 --val-split test"
    warms = "align emb -o warming --loss gram --epochs 2 --dim 4 --warm-up 2 --val-split test"
    state = "training.safetensors"
    return [
        Target("heads/heads.json", [mutations.field], uses, seal_heads),
        Target("heads/heads.safetensors", [mutations.header], uses, seal_heads),
        Target("heads/heads.safetensors", [mutations.header], uses),
        Target(f"begun/{state}", [mutations.metadata("progress")], (goes_on, "inspect begun")),
        Target(f"begun/{state}", [mutations.header], (goes_on, "inspect begun")),
        Target(f"warming/{state}", [mutations.metadata("progress")], (warms, "inspect warming")),
    ]


class _Stopping:
    """A `Watch` that ends what it watches."""

    def __init__(self, stop: Callable[[int, int, str], None]) -> None:
        self._stop = stop

    def stage(self, *_: object) -> Callable[[int, int, str], None]:
        """What is called after every epoch."""
        return self._stop

    def say(self, line: str) -> None:
        """Nobody listens."""


def _evaluations() -> list[Target]:
    """Two evaluations of one store."""
    make_store(Path("emb"), without_audio=2)
    line = "eval emb --task t2va --split test --metrics retrieval --metrics geometry --reference"
    run(f"{line} --method cosine -o a.json --missing present")
    run(f"{line} --method gram -o b.json --missing present")
    uses = ("inspect a.json", "compare a.json b.json", "compare b.json a.json --intersect", "compare a.json emb@gram")
    return [Target("a.json", [mutations.field], uses), Target("b.json", [mutations.field], uses)]


def _checkpoints() -> list[Target]:
    """A checkpoint in three layouts, with its configurations and vocabularies."""
    state = random_state(expected_shapes(SMALL))
    for folder in ("run/log", "run/ckpt", "sharded", "one"):
        Path(folder).mkdir(parents=True)
    torch.save(state, "run/ckpt/model_step_1.pt")
    names = list(state)
    parts = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for name, keys in parts.items():
        save_file({key: state[key] for key in keys}, f"sharded/{name}")
    index = {"metadata": {}, "weight_map": {key: name for name, keys in parts.items() for key in keys}}
    Path("sharded/model.safetensors.index.json").write_text(json.dumps(index))
    for folder in ("run/log", "sharded"):
        Path(folder, "hps.json").write_text(json.dumps(HPS))
    run("export run -o one/model.safetensors")
    arch = {"vision": {"heads": 1}, "audio": {"heads": 2, "max_distance": 800}, "text": {"layer_norm_eps": 1e-12}}
    Path("run/arch.json").write_text(json.dumps(arch))
    for folder in ("run", "sharded", "one"):
        Path(folder, "vocab.txt").write_text("\n".join(_WORDS) + "\n")
    Path("one/tokenizer.json").write_text(_tokenizer_json())
    Path("m.csv").write_text("id,caption,subtitle\n" + "".join(f"i{k},text a b,c d e\n" for k in range(3)))
    return _checkpoint_targets()


def _checkpoint_targets() -> list[Target]:
    def reads(path: str, *more: str) -> tuple[str, ...]:
        embed = f"embed m.csv -o out --model {path} --text-only --workers 0 {' '.join(more)}"
        return (f"inspect {path}", f"inspect {path} --verify", f"export {path} -o out.safetensors", embed)

    weights = "sharded/model-00001-of-00002.safetensors"
    own = ("--tokenizer one/tokenizer.json",)
    return [
        Target("run/log/hps.json", [mutations.field], reads("run")),
        Target("run/arch.json", [mutations.field], reads("run")),
        Target("run/ckpt/model_step_1.pt", [], reads("run")),
        Target("run/vocab.txt", [mutations.cells(" ")], reads("run")[-1:]),
        Target("one/tokenizer.json", [mutations.field], reads("one", *own)[-1:]),
        Target("one/model.safetensors", [mutations.metadata("gramcli"), mutations.header], reads("one")),
        Target("sharded/model.safetensors.index.json", [mutations.field], reads("sharded")),
        Target(weights, [mutations.header], reads("sharded")),
    ]


def _tokenizer_json() -> str:
    added = [
        {"id": k, "content": word, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
         "special": True} for k, word in enumerate(_WORDS[:5])
    ]  # fmt: skip
    return json.dumps(
        {
            "version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
            "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True,
                           "strip_accents": None, "lowercase": True},
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
            "decoder": None,
            "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                      "max_input_chars_per_word": 100, "vocab": {word: k for k, word in enumerate(_WORDS)}},
        }
    )  # fmt: skip


def _datasets() -> list[Target]:
    """Manifests in four formats, captions beside media, templates and settings."""
    Path("media").mkdir()
    entries = []
    for k in range(_N):
        write_wav(Path(f"media/{k}.wav"), seconds=0.1)
        Path(f"media/{k}.txt").write_text(f"sound {k}\nthe same sound {k}\n")
        entry = {"id": f"i{k}", "audio": f"media/{k}.wav", "caption": f"sound {k}", "label": "ab"[k % 2]}
        entries.append({**entry, "split": ("train", "test")[k % 2]})
    table = [list(entries[0]), *(list(entry.values()) for entry in entries)]
    Path("m.csv").write_text("\n".join(",".join(row) for row in table) + "\n")
    Path("m.tsv").write_text("\n".join("\t".join(row) for row in table) + "\n")
    Path("m.json").write_text(json.dumps(entries))
    Path("m.jsonl").write_text("\n".join(map(json.dumps, entries)) + "\n")
    Path("templates.txt").write_text("a {}.\nthe sound of {}.\n")
    Path("gram.toml").write_text('[defaults]\nworkers = 0\n[eval]\ntask = ["t2a"]\nlimit = 3\n[embed]\nframes = 2\n')
    prompts = "eval signal --dataset m.csv --metrics classification --classifier zero-shot --templates templates.txt"

    def reads(path: str) -> tuple[str, ...]:
        return (
            f"inspect {path}",
            f"embed {path} -o out",
            f"eval signal --dataset {path}",
            f"embed {path} -o o --dry-run",
        )

    settings = ("eval signal --dataset m.csv", "embed m.csv -o out --dry-run", "eval x --print-config")
    return [
        Target("m.csv", [mutations.cells(",")], reads("m.csv")),
        Target("m.tsv", [mutations.cells("\t")], reads("m.tsv")),
        Target("m.json", [mutations.field], reads("m.json")),
        Target("m.jsonl", [mutations.lines_of_json], reads("m.jsonl")),
        Target("media/0.txt", [mutations.cells(" ")], reads("media")),
        Target("templates.txt", [mutations.cells(" ")], (prompts,)),
        Target("gram.toml", [mutations.settings], settings),
    ]


def _benchmarks() -> list[Target]:
    """Annotations of benchmarks in the formats that circulate, each in a root of its own."""
    names = [f"video{k}" for k in range(_N)]
    captions = {name: [["a", "man", "walks"], ["a", "dog"]] for name in names}
    sentences = [{"video_id": name, "caption": f"a {name}", "sen_id": k} for k, name in enumerate(names)]
    videos = [{"video_id": name, "split": "test", "start time": 1.5, "end time": 3} for name in names]
    segments = [{"segment": [1, 20], "id": 0, "sentence": "pick"}, {"segment": [30, 40], "id": 1, "sentence": "mix"}]
    recipes = {"database": {f"xHr8X2Wpmn{k}": {"subset": "validation", "annotations": segments} for k in range(_N)}}
    times = [[0, 1.5], [2, 3]]
    dense = {f"v_{k}aaaaaaaaaa": {"duration": 9.5, "timestamps": times, "sentences": ["a", "b"]} for k in range(_N)}
    sounds = "".join(f"{k},GOD8Bt5LfD{k},{30 * k},hum\n" for k in range(_N))
    files: dict[str, tuple[str, bytes]] = {
        "msrvtt": ("MSRVTT_data.json", json.dumps({"videos": videos, "sentences": sentences}).encode()),
        "msvd": ("raw-captions.pkl", pickle.dumps(captions)),
        "youcook2": ("youcookii_annotations_trainval.json", json.dumps(recipes).encode()),
        "activitynet": ("val_1.json", json.dumps(dense).encode()),
        "audiocaps": ("test.csv", f"audiocap_id,youtube_id,start_time,caption\n{sounds}".encode()),
        "clotho": (
            "clotho_captions_evaluation.csv",
            b"file_name,caption_1,caption_2\nSanta Motor.wav,a,b\nB.wav,c,d\n",
        ),
    }
    found = []
    for name, (file, data) in files.items():
        Path(name).mkdir()
        Path(name, file).write_bytes(data)
        ways = {".json": mutations.field, ".pkl": mutations.pickled, ".csv": mutations.cells(",")}
        found.append(Target(f"{name}/{file}", [ways[Path(file).suffix]], _reads_benchmark(name)))
    Path("msvd", "test_list.txt").write_text("\n".join(names) + "\n")
    found.append(Target("msvd/test_list.txt", [mutations.cells(" ")], _reads_benchmark("msvd")))
    if importlib.util.find_spec("pyarrow"):
        import pandas as pd

        Path("table").mkdir()
        rows = pd.DataFrame({"video_id": names, "caption": [["a man", "a dog"]] * _N, "category": range(_N)})
        rows.to_parquet("table/msrvtt_1k.parquet")
        found.append(Target("table/msrvtt_1k.parquet", [mutations.columns], _reads_benchmark("msrvtt", "table")))
    return found


def _reads_benchmark(name: str, root: str = "") -> tuple[str, ...]:
    root = root or name
    return (f"datasets {name} --root {root}", f"embed {name} --root {root} -o out --dry-run", f"inspect {root}")


def _imports() -> list[Target]:
    """Features in every format that is imported, by the libraries that users have, and exports of ours."""
    random = np.random.default_rng(0)
    video, text = (random.normal(size=shape).astype(np.float32) for shape in ((_N, 3, 4), (_N, 4)))
    ids = [f"i{k}" for k in range(_N)]
    arrays = {"video": video, "text": text}
    np.save("video.npy", video)
    np.savez("x.npz", ids=ids, video_lengths=np.full(_N, 2), **arrays)
    np.savez_compressed("packed.npz", **arrays)
    save_arrays(arrays, "x.safetensors")
    torch.save({name: torch.from_numpy(one) for name, one in arrays.items()}, "x.pt")
    Path("items.pkl").write_bytes(pickle.dumps(dict(zip(ids, video, strict=True))))
    split = {
        "vision": video,
        "text": video,
        "id": ids,
        "classification_labels": np.arange(_N),
        "vision_lengths": [2] * _N,
    }
    Path("splits.pkl").write_bytes(pickle.dumps({"train": split, "test": {**split, "id": [f"t{k}" for k in ids]}}))
    with tarfile.open("x.tar", "w") as archive:
        for one, steps in zip(ids, video, strict=True):
            data = io.BytesIO()
            np.save(data, steps)
            for ending, held in (("video.npy", data.getvalue()), ("json", b'{"label": "a", "caption": ["b", "c"]}')):
                member = tarfile.TarInfo(f"{one}.{ending}")
                member.size = len(held)
                archive.addfile(member, io.BytesIO(held))
    make_store(Path("store"))
    files: dict[str, list[mutations.Mutation]] = {
        "video.npy": [],
        "x.npz": [],
        "packed.npz": [],
        "x.safetensors": [mutations.header],
        "x.tar": [],
    }
    files |= {"x.pt": [], "items.pkl": [], "splits.pkl": []}
    if importlib.util.find_spec("h5py") and importlib.util.find_spec("pyarrow"):
        files |= {"x.h5": [], "x.parquet": [mutations.columns]} | _tables_of_features(ids, video, text)
    for to in ("npz", "safetensors", "csv", *(("h5", "parquet") if "x.h5" in files else ())):
        run(f"export store -o own.{to}")
        files[f"own.{to}"] = [mutations.cells(",")] if to == "csv" else []
    return [
        Target(file, ways, (f"import {file} -o out", f"import {file} --dry-run", f"import {file} --pool last -o out"))
        for file, ways in files.items()
    ]


def _tables_of_features(ids: list[str], video: Any, text: Any) -> dict[str, list[mutations.Mutation]]:
    import h5py
    import pyarrow as pa
    import pyarrow.parquet as pq

    with h5py.File("x.h5", "w") as file:
        file["video"], file["text"] = video, text
        file.create_dataset("ids", data=ids, dtype=h5py.string_dtype())
    with h5py.File("mmt.h5", "w") as file:
        file["features.rgb"], file["raw_captions.0"] = video[0], np.array([b"a", b"dog"])
    with h5py.File("x.csd", "w") as file:
        for one, steps in zip(ids, video, strict=True):
            file[f"vision/data/{one}/features"] = steps
        file["vision/metadata/name"] = b"vision"
    table = {"id": ids, "text": text.tolist(), "captions": [["a dog", "a cat"]] * _N, "label": [0] * _N}
    pq.write_table(pa.table({**table, "video": video.tolist()}), "x.parquet")
    return {"mmt.h5": [], "x.csd": []}


GROUPS: Final[dict[str, Callable[[], list[Target]]]] = {
    "stores": _stores,
    "cache": _cache,
    "heads": _heads,
    "evaluations": _evaluations,
    "checkpoints": _checkpoints,
    "datasets": _datasets,
    "benchmarks": _benchmarks,
    "imports": _imports,
}


def damaged(random: Random, target: Target) -> str:
    """Damage the file of a target in the current folder; says how."""
    path = Path(target.file)
    ways = [*target.mutations] * 3 + [mutations.bytewise]
    said, data = random.choice(ways)(random, path.read_bytes())
    path.write_bytes(data)
    if target.seal:
        target.seal(path)
    return said
