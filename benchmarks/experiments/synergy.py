"""What a loss can represent: modalities made from known factors, so that it is known what each pair says of a third.

    python benchmarks/experiments/synergy.py -o results/synergy

Every item has bits of +1 and -1; each modality holds some of them, in a random rotation of its own, with noise. Text
asks, video and audio answer. By the decomposition of what two sources say of a target:

- redundancy: video and audio hold all the bits of the text, each alone.
- uniqueness: video holds one half of them, audio the other.
- synergy: a bit of the text is the product of a bit of video and a bit of audio (XOR): either alone says nothing.
- mixture: a third of the bits of each kind.

Finished parts, one file for each training, are kept in the output folder and not run again; tables are printed at the
end.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from measure import seen_through
from numpy.typing import NDArray

from gramcli.alignment.run import AlignOptions, train_heads
from gramcli.evaluation.selection import select
from gramcli.heads.files import load_heads
from gramcli.modalities import parse_task
from gramcli.scoring.ranking import rank
from gramcli.store import Store, open_store, write_store
from gramcli.store.splits import chosen_items

Floats = NDArray[np.float64]

BITS: Final = 12
"""Of the text: 4,096 items can be told apart, ten times as many as there are to find one among."""

SIZES: Final = {"train": 1500, "val": 300, "test": 400}
NOISE: Final = 0.2
WIDTH: Final = 32
"""Of every modality's features; bits of its own, which no other modality knows, fill what is left of them."""

KINDS: Final = ("redundancy", "uniqueness", "synergy", "mixture")
LOSSES: Final = ("cosine", "centroid", "gram", "span", "span:ridge=0.1", "pmrl", "triangle", "symile")
FROM_RANDOM: Final = ("gram", "symile")
"""Also without the stage of cosines that `gram align` begins with where a loss does not see signs."""

TASKS: Final = ("t2v", "t2a", "v2a", "t2va")


def bits(rng: np.random.Generator, n: int, count: int) -> Floats:
    """Fair coins, +1 or -1, shape [n, count]."""
    return rng.choice([-1.0, 1.0], size=(n, count))


def factors(kind: str, rng: np.random.Generator, n: int, count: int = BITS) -> dict[str, Floats]:
    """The bits that each modality holds of what the text says.

    Args:
        kind: One of `KINDS`.
        rng: Where coins come from.
        n: Items.
        count: Bits of the text.
    """
    if kind == "mixture":
        parts = [factors(one, rng, n, count // 3) for one in KINDS[:3]]
        return {name: np.concatenate([part[name] for part in parts], axis=1) for name in parts[0]}
    text = bits(rng, n, count)
    if kind == "redundancy":
        return {"text": text, "video": text, "audio": text}
    if kind == "uniqueness":
        return {"text": text, "video": text[:, : count // 2], "audio": text[:, count // 2 :]}
    video = bits(rng, n, count)
    return {"text": text, "video": video, "audio": text * video}


def features(kind: str, seed: int) -> dict[str, Floats]:
    """What encoders would have made of the items: rotated bits, bits of the modality's own, noise."""
    rng, n = np.random.default_rng(seed), sum(SIZES.values())
    found = {}
    for name, held in factors(kind, rng, n).items():
        whole = np.concatenate([held, bits(rng, n, WIDTH - held.shape[1])], axis=1)
        rotation = np.linalg.qr(rng.normal(size=(WIDTH, WIDTH)))[0]
        found[name] = whole @ rotation + NOISE * rng.normal(size=(n, WIDTH))
    return found


def make_store(kind: str, seed: int, folder: Path) -> Store:
    """The features as a store with three splits."""
    rows = features(kind, seed)
    n = sum(SIZES.values())
    write_store(
        folder,
        ids=[f"item{k:04d}" for k in range(n)],
        splits=[name for name, size in SIZES.items() for _ in range(size)],
        labels=[None] * n,
        embeddings={name: x.astype(np.float32) for name, x in rows.items()},
        caption_items=np.arange(n),
        status={name: ["ok"] * n for name in rows if name != "text"},
        model={"id": "factors", "shared_space": False},
        dataset={"id": f"synergy-{kind}", "protocol": None, "annotation_sha256": None},
    )
    return open_store(folder)


def trained(store: Store, loss: str, seed: int, folder: Path, how: Mapping[str, Any]) -> dict[str, float]:
    """Heads by one loss; R@1 of every task under the loss's own measure, and of the joint task under cosine.

    Args:
        store: Features.
        loss: A method.
        seed: Of the heads.
        folder: Where they go.
        how: Further options of `gram align`.
    """
    options = AlignOptions(dim=WIDTH, lr=3e-3, batch_size=128, patience=15, seed=seed, **how)
    train_heads(store, folder, loss, options=options)
    seen, items = seen_through(store, load_heads(folder).heads), chosen_items(store, "test", None)
    found = {}
    for name in TASKS:
        rows = select(seen, parse_task(name), items, "drop")
        own = "cosine" if loss == "triangle" and name != "t2va" else loss
        for judge in dict.fromkeys((own, "cosine")):
            ranks = rank(judge, rows.queries, rows.candidates, rows.positives).forward.double()
            found[f"{name} {'own' if judge == own else judge}"] = float((ranks <= 1).double().mean())
    return found


def table(results: Mapping[tuple[str, str], list[dict[str, float]]]) -> str:
    """R@1 in per cent, mean and range over the seeds."""
    columns = ("t2va own", "t2v own", "t2a own", "v2a own")
    lines = []
    for kind in dict.fromkeys(name for name, _ in results):
        lines += [f"### {kind}", "", f"| loss | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
        for (name, loss), seeds in results.items():
            if name == kind:
                values = [[100 * one[column] for one in seeds] for column in columns]
                cells = [f"{np.mean(x):.1f} ({min(x):.1f} to {max(x):.1f})" for x in values]
                lines.append(f"| {loss} | {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    """Run what is not there yet, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--hidden", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--losses", nargs="+", default=LOSSES)
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    results: dict[tuple[str, str], list[dict[str, float]]] = {}
    losses = [(loss, None) for loss in given.losses] + [(loss, 0) for loss in given.losses if loss in FROM_RANDOM]
    for kind, (loss, warm_up), seed in product(given.kinds, losses, range(given.seeds)):
        name = loss if warm_up is None else f"{loss}, from random heads"
        path = given.output / f"{kind}-{name.translate(str.maketrans(':, ', '---'))}-{seed}.json"
        if not path.exists():
            start, how = time.perf_counter(), {"warm_up": warm_up, "epochs": given.epochs, "hidden": given.hidden}
            with tempfile.TemporaryDirectory() as folder:
                store = make_store(kind, seed, Path(folder) / "store")
                found = trained(store, loss, seed, Path(folder) / "heads", how)
            path.write_text(json.dumps({**found, "seconds": round(time.perf_counter() - start, 1)}) + "\n")
        results.setdefault((kind, name), []).append(json.loads(path.read_text()))
    print(table(results))


if __name__ == "__main__":
    main()
