"""Every loss on real data: tuned with one budget on val, five seeds, figures of the test split.

    python benchmarks/experiments/align_digits.py --data DATA --dataset digits3 -o results

DATA holds `digits3/` and `mfeat.safetensors`. Finished parts are kept in the output folder and not run again;
`report.py` makes the tables.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from data import DATASETS, RELEVANT
from gcca import gcca_heads
from measure import everything, seen_through, selection_measure

from gramcli.alignment.run import AlignOptions, train_heads
from gramcli.errors import UserError
from gramcli.heads.files import load_heads
from gramcli.heads.model import Heads
from gramcli.store import Store
from gramcli.store.splits import chosen_items

DIM, EPOCHS, PATIENCE = 32, 40, 10


@dataclass(frozen=True)
class Contender:
    """A row of the tables: a loss, how it is anchored, and what its heads start from."""

    loss: str
    anchor: str | None = None
    from_cosine: bool = False

    @property
    def name(self) -> str:
        """As in the tables."""
        anchored = f"{self.loss}, each anchor" if self.anchor else self.loss
        return f"{anchored}, from cosine" if self.from_cosine else anchored


def contenders(modalities: int) -> list[Contender]:
    """The losses of the issue; those that do not see signs also start from heads of the cosine loss."""
    blind = [Contender("gram"), Contender("gram", "each"), Contender("pmrl"), Contender("symile")]
    blind += [Contender("triangle")] if modalities == 3 else []
    late = [Contender(one.loss, one.anchor, True) for one in blind]
    return [Contender("cosine"), Contender("cosine", "each"), *blind, *late]


def drawn(rng: np.random.Generator) -> dict[str, Any]:
    """One setting out of the space that all losses share."""
    return {
        "lr": float(np.exp(rng.uniform(np.log(5e-4), np.log(2e-2)))),
        "temperature": float(np.exp(rng.uniform(np.log(0.01), np.log(0.2)))),
        "weight_decay": float(rng.choice([0.0, 0.01, 0.1])),
        "dropout": float(rng.choice([0.0, 0.2, 0.5])),
        "batch_size": int(rng.choice([64, 128, 256])),
    }


class Work:
    """One dataset: its store, its answers so far, its budget."""

    def __init__(self, store: Store, name: str, output: Path, trials: int, seeds: int) -> None:
        self.store, self.name, self.trials, self.seeds = store, name, trials, seeds
        self.relevant = RELEVANT[name]
        self.folder = output / name
        self.folder.mkdir(parents=True, exist_ok=True)

    def kept(self, part: str, make: Callable[[], Mapping[str, Any]]) -> Any:  # noqa: ANN401 - a JSON document
        """What an earlier run found, or what `make` finds now."""
        path = self.folder / f"{part.replace(', ', '-').replace(' ', '_')}.json"
        if not path.exists():
            start = time.perf_counter()
            found = make()
            path.write_text(json.dumps({**found, "seconds": round(time.perf_counter() - start, 1)}, indent=1) + "\n")
            print(f"{self.name}: {part}", flush=True)
        return json.loads(path.read_text())

    def heads(self, who: Contender, seed: int, setting: Mapping[str, Any]) -> Heads:
        """Train one contender."""
        options = AlignOptions(
            dim=DIM,
            epochs=EPOCHS,
            patience=PATIENCE,
            seed=seed,
            anchor=who.anchor,
            init=self.start(who, seed),
            warm_up=0,
            relevant=self.relevant,
            **setting,
        )
        with tempfile.TemporaryDirectory() as folder:
            train_heads(self.store, Path(folder) / "heads", who.loss, options=options)
            return load_heads(Path(folder) / "heads").heads

    def tuned(self, who: Contender) -> Any:  # noqa: ANN401 - a JSON document
        """The best of the trials, all with seed 0; every loss sees the same settings."""

        def search() -> dict[str, Any]:
            rng, trials = np.random.default_rng(0), []
            for _ in range(self.trials):
                setting = drawn(rng)
                trials.append({"setting": setting, "mAP": self._judged(who, setting)})
            return {"trials": trials, "best": max(trials, key=lambda one: one["mAP"])["setting"]}

        return self.kept(f"tuning {who.name}", search)

    def _judged(self, who: Contender, setting: Mapping[str, Any]) -> float:
        try:
            heads = self.heads(who, 0, setting)
        except UserError:  # the loss blew up
            return 0.0
        return selection_measure(seen_through(self.store, heads), who.loss, self.relevant)

    def start(self, who: Contender, seed: int) -> Path | None:
        """Heads of the tuned cosine loss of the same seed, where the contender starts from them."""
        if not who.from_cosine:
            return None
        folder = self.folder / "cosine_heads" / str(seed)
        best = self.tuned(Contender("cosine"))["best"]
        how = AlignOptions(dim=DIM, epochs=EPOCHS, patience=PATIENCE, seed=seed, relevant=self.relevant, **best)
        train_heads(self.store, folder, "cosine", options=how)
        return folder

    def measured(self, who: Contender, seed: int) -> Any:  # noqa: ANN401 - a JSON document
        """Test figures of one seed with the best setting."""

        def run() -> Mapping[str, Any]:
            heads = self.heads(who, seed, self.tuned(who)["best"])
            return everything(seen_through(self.store, heads), who.loss, self.relevant)

        return self.kept(f"seed{seed} {who.name}", run)

    def gcca(self) -> None:
        """The closed form, with as many trials; it has no seed."""
        train = chosen_items(self.store, "train", None)
        views = {name: self.store.embeddings(name)[train].double().numpy() for name in self.store.modalities}

        def search() -> dict[str, Any]:
            rng, trials = np.random.default_rng(0), []
            for _ in range(self.trials):
                setting = {"ridge": float(10 ** rng.uniform(-4, 1)), "power": float(rng.choice([0.0, 1.0, 2.0]))}
                seen = seen_through(self.store, gcca_heads(views, DIM, **setting))
                trials.append({"setting": setting, "mAP": selection_measure(seen, "cosine", self.relevant)})
            return {"trials": trials, "best": max(trials, key=lambda one: one["mAP"])["setting"]}

        best = self.kept("tuning gcca", search)["best"]
        self.kept(
            "seed0 gcca",
            lambda: everything(seen_through(self.store, gcca_heads(views, DIM, **best)), "cosine", self.relevant),
        )


def main() -> None:
    """Run what is not there yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--dataset", choices=list(DATASETS), required=True)
    parser.add_argument("--trials", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path, required=True)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    store = DATASETS[given.dataset](given.data, given.output / f"{given.dataset}_store")
    work = Work(store, given.dataset, given.output, given.trials, given.seeds)
    work.gcca()
    for who in contenders(len(store.modalities)):
        work.tuned(who)
        for seed in range(given.seeds):
            work.measured(who, seed)


if __name__ == "__main__":
    main()
