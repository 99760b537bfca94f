"""The `align` verb: it learns, the same every time, stopped or not, and never evaluates what it trained on."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from typer.testing import CliRunner

from gramcli.alignment.run import AlignOptions, train_heads
from gramcli.alignment.work import _remedy
from gramcli.cli.main import app
from gramcli.errors import UserError
from gramcli.evaluation.compare import compare
from gramcli.evaluation.measure import EvalOptions, measure
from gramcli.heads.files import load_heads
from gramcli.heads.projection import project, write_projected
from gramcli.heads.remarks import outcome_of, remarks
from gramcli.methods import METHODS, get_method
from gramcli.modalities import parse_task
from gramcli.store import open_store
from tests.alignment.views import make_views

QUICK = AlignOptions(dim=8, epochs=12, batch_size=30, lr=1e-2, patience=0)
TASK = parse_task("t2va")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_views(tmp_path_factory.mktemp("views") / "store", captions=2)


def options(**changed) -> AlignOptions:
    return AlignOptions(**{**vars(QUICK), **changed})


def recall(store, heads: Path, method: str, split: str = "test") -> float:
    seen = project(store, load_heads(heads))
    found = measure(seen, tasks=[TASK], methods=[method], options=EvalOptions(split=split))
    return next(row.value for row in found.results if row.metric == "R@1" and row.task == "t2va")


@pytest.mark.parametrize("loss", ["cosine", "centroid", "centroid:weights=query", "gram", "span", "triangle"])
def test_heads_of_unseen_items_find_each_other(store, tmp_path, loss):
    found = train_heads(store, tmp_path / "heads", loss, options=options(epochs=40))
    assert found.history[0].loss > found.history[found.best - 1].loss
    assert recall(store, tmp_path / "heads", loss.partition(":")[0]) > 0.4  # 40 items: chance is 0.025


@pytest.fixture(scope="module")
def start(store, tmp_path_factory):
    """Heads of the cosine loss."""
    folder = tmp_path_factory.mktemp("start") / "heads"
    train_heads(store, folder, "cosine", options=options(epochs=20))
    return folder


@pytest.mark.parametrize("loss", ["pmrl", "symile", "gram:log=true", "triangle:squared=true", "gram"])
def test_losses_that_do_not_see_signs_learn_from_heads_of_the_cosine_loss(store, start, tmp_path, loss):
    found = train_heads(store, tmp_path / "heads", loss, options=options(lr=2e-3, init=start))
    assert found.history[-1].loss < found.history[0].loss
    assert recall(store, tmp_path / "heads", "cosine") > 0.4


@pytest.mark.parametrize(("loss", "after"), [("gram", 3), ("gram", 6), ("gram", 9), ("symile", 9)])
def test_the_same_run_gives_the_same_bits_and_one_stopped_in_either_stage_too(store, tmp_path, loss, after):
    how = options(epochs=6, dropout=0.2, hidden=12)
    train_heads(store, tmp_path / "whole", loss, options=how)

    def stop(done: int, _total: int, _words: str) -> None:
        if done == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        train_heads(store, tmp_path / "stopped", loss, options=how, progress=stop)
    with pytest.raises(UserError, match="is not finished"):
        load_heads(tmp_path / "stopped")
    told = []
    train_heads(store, tmp_path / "stopped", loss, options=how, progress=lambda done, *_: told.append(done))
    assert told == list(range(after + 1, 13))
    for name in ("heads.safetensors", "curves.csv"):
        assert (tmp_path / "stopped" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert not (tmp_path / "stopped" / "training.safetensors").exists()
    assert project(store, load_heads(tmp_path / "whole")).fingerprint() == (
        project(store, load_heads(tmp_path / "stopped")).fingerprint()
    )


def test_another_seed_gives_other_heads_and_is_not_mixed_up_with_the_first(store, tmp_path):
    train_heads(store, tmp_path / "heads", "gram", options=options(epochs=2))
    before = (tmp_path / "heads" / "heads.safetensors").read_bytes()
    with pytest.raises(UserError, match=r"seed: 0 there, 1 now.*--overwrite"):
        train_heads(store, tmp_path / "heads", "gram", options=options(epochs=2, seed=1))
    assert (tmp_path / "heads" / "heads.safetensors").read_bytes() == before
    again = train_heads(store, tmp_path / "heads", "gram", options=options(epochs=2))
    assert any("there already" in note for note in again.notes)
    train_heads(store, tmp_path / "heads", "gram", options=options(epochs=2, seed=1, overwrite=True))
    assert (tmp_path / "heads" / "heads.safetensors").read_bytes() != before


def test_a_mistake_beside_overwrite_costs_no_heads(store, tmp_path):
    train_heads(store, tmp_path / "heads", "gram", options=options(epochs=1))
    before = {file.name: file.read_bytes() for file in (tmp_path / "heads").iterdir()}
    for changed in (
        {"temperature": 50.0},
        {"dim": 2},
        {"anchor": "nosuch"},
        {"method": "nosuch"},
        {"modalities": ("nosuch",)},
    ):
        with pytest.raises(UserError, match=r"\w"):
            train_heads(store, tmp_path / "heads", "gram", options=options(**changed, overwrite=True))
    assert {file.name: file.read_bytes() for file in (tmp_path / "heads").iterdir()} == before


def test_foreign_files_are_never_touched(store, tmp_path):
    (tmp_path / "heads").mkdir()
    (tmp_path / "heads" / "thesis.tex").write_text("precious")
    for overwrite in (False, True):
        with pytest.raises(UserError, match=r"something else than heads \(thesis.tex\)"):
            train_heads(store, tmp_path / "heads", "gram", options=options(overwrite=overwrite))
    assert (tmp_path / "heads" / "thesis.tex").read_text() == "precious"
    (tmp_path / "file").write_text("precious")
    with pytest.raises(UserError, match="something else than heads"):
        train_heads(store, tmp_path / "file", "gram", options=options(overwrite=True))


def test_early_stopping_keeps_the_best_epoch(store, tmp_path):
    found = train_heads(store, tmp_path / "heads", "cosine", options=options(epochs=60, patience=3, metric="R@5"))
    figures = [one.measures["R@5"] for one in found.history]
    losses = [one.validation_loss for one in found.history]
    assert found.best == 1 + max(range(len(figures)), key=lambda k: (figures[k], -losses[k]))
    assert len(figures) == min(found.best + 3, 60)
    lines = list(csv.DictReader((tmp_path / "heads" / "curves.csv").open()))
    assert [float(line["R@5"]) for line in lines] == figures
    seen = project(store, load_heads(tmp_path / "heads"))
    how = EvalOptions(split="val", ties="mean")
    rows = measure(seen, tasks=[TASK], methods=["cosine"], options=how).results
    both = [row.value for row in rows if row.metric == "R@5" and row.task in ("t2va", "va2t")]
    assert np.mean(both) == pytest.approx(max(figures), abs=1e-6)


def test_items_that_were_trained_on_are_not_evaluated_unless_asked_for(store, tmp_path):
    train_heads(store, tmp_path / "heads", "cosine", options=options(epochs=2))
    saved = load_heads(tmp_path / "heads")
    assert saved.config["trained"] == [f"item{k:03d}" for k in range(60)]
    assert saved.config["selected"] == [f"item{k:03d}" for k in range(60, 80)]
    seen = project(store, saved)
    write_projected(store, saved, store.ids, tmp_path / "written")
    for one in (seen, open_store(tmp_path / "written")):
        with pytest.raises(UserError, match=r"60 of the 120 items, for instance 'item000', trained.*--split test"):
            measure(one, tasks=[TASK], options=EvalOptions(split="all"))
        found = measure(one, tasks=[TASK], methods=["gram"], options=EvalOptions(split="all", allow_trained=True))
        assert any("60 of 120 items trained the heads" in note for note in found.notes)
        assert found.provenance["model"]["heads"]["n_trained"] == 60
        assert "trained" not in found.provenance["model"]["heads"]
        assert not any("trained" in note for note in measure(one, tasks=[TASK], methods=["gram"]).notes)
    chosen = measure(seen, tasks=[TASK], methods=["gram"], options=EvalOptions(split="val"))
    assert any("20 of 20 items chose the heads' epoch" in note for note in chosen.notes)


def test_a_store_through_heads_is_the_same_written_or_not(store, tmp_path):
    train_heads(store, tmp_path / "heads", "gram", options=options(epochs=3, hidden=6))
    saved = load_heads(tmp_path / "heads")
    order = [store.ids[k] for k in (100, 3, 110, 97)]
    write_projected(store, saved, order, tmp_path / "written")
    seen, written = project(store, saved), open_store(tmp_path / "written")
    assert written.ids == tuple(order)
    assert written.caption_items().tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    places = [100, 3, 110, 97]
    for name in ("video", "audio"):
        assert torch.equal(written.embeddings(name), seen.embeddings(name)[places])
    texts = [row for k in places for row in (2 * k, 2 * k + 1)]
    assert torch.equal(written.embeddings("text"), seen.embeddings("text")[texts])
    rows = seen.embeddings("text")
    np.testing.assert_allclose(rows.norm(dim=1), 1, atol=1e-6)
    np.testing.assert_allclose(saved.heads.project("text", store.embeddings("text")), rows, atol=1e-6)
    with pytest.raises(UserError, match="no embeddings of 1 of 2 items, for instance 'nobody'"):
        write_projected(store, saved, ["item000", "nobody"], tmp_path / "other")


def test_a_store_of_another_model_is_refused(store, tmp_path):
    train_heads(store, tmp_path / "heads", "gram", options=options(epochs=1))
    other = make_views(tmp_path / "other", model="another")
    with pytest.raises(UserError, match="trained on embeddings of 'made'"):
        project(other, load_heads(tmp_path / "heads"))


def test_without_a_validation_split_a_fifth_is_held_out(tmp_path):
    store = make_views(tmp_path / "store", 50, splits=[None] * 50)
    with pytest.raises(UserError, match="--train-split all"):
        train_heads(store, tmp_path / "heads", "gram", options=options())
    found = train_heads(store, tmp_path / "heads", "gram", options=options(train="all", epochs=1))
    assert (found.n_train, found.n_validation) == (40, 10)
    assert any("10 of 50 items" in note and "held out" in note for note in found.notes)
    config = load_heads(tmp_path / "heads").config
    assert not set(config["trained"]) & set(config["selected"])


def test_items_without_a_second_modality_are_left_out_and_others_are_masked(tmp_path):
    store = make_views(tmp_path / "store", without_audio=[*range(20), 70], without_video=[1, 2, 71])
    assert store.status("video")[1] == "failed: broken"
    for loss in ("gram", "pmrl", "cosine", "symile"):
        found = train_heads(store, tmp_path / loss, loss, options=options(epochs=3))
        assert found.n_train == 58
        assert any("2 train items have fewer than two modalities" in note for note in found.notes)
        assert all(np.isfinite(one.loss) for one in found.history)


def test_garbage_in_absent_rows_changes_nothing(tmp_path):
    clean = make_views(tmp_path / "clean", without_audio=range(0, 60, 3))
    dirty = make_views(tmp_path / "dirty", without_audio=range(0, 60, 3))
    dirty.embeddings("audio")[0:60:3] = 1e6
    for name, one in (("a", clean), ("b", dirty)):
        train_heads(one, tmp_path / name, "gram", options=options(epochs=3))
    first, second = (load_heads(tmp_path / name).heads.tensors for name in ("a", "b"))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_labels_say_who_is_no_negative(store, tmp_path):
    plain = train_heads(store, tmp_path / "item", "cosine", options=options(epochs=3))
    labelled = train_heads(store, tmp_path / "label", "cosine", options=options(epochs=3, relevant="label"))
    assert labelled.history[0].loss < plain.history[0].loss  # fewer candidates to be told from
    assert labelled.history[0].measures["R@1"] > plain.history[0].measures["R@1"]


def test_an_anchor_is_text_unless_another_or_each_is_named(store, tmp_path):
    losses = {}
    for anchor in (None, "text", "video", "each"):
        found = train_heads(store, tmp_path / str(anchor), "gram", options=options(epochs=1, anchor=anchor))
        losses[anchor] = found.history[0].loss
    assert losses[None] == losses["text"]
    assert len(set(losses.values())) == 3
    with pytest.raises(UserError, match=r"no modality 'vidoe' to be the anchor\. Did you mean 'video'"):
        train_heads(store, tmp_path / "x", "gram", options=options(anchor="vidoe"))
    with pytest.raises(UserError, match="The loss of pmrl takes no 'anchor'"):
        train_heads(store, tmp_path / "x", "pmrl", options=options(anchor="text"))


@pytest.mark.parametrize(
    ("loss", "changed", "message"),
    [
        ("gramm", {}, "Unknown method 'gramm'. Did you mean 'gram'"),
        ("gram", {"dim": 2}, "needs at least 3 dimensions"),
        ("triangle", {"modalities": ("text", "video")}, "exactly 3 modalities"),
        ("gram", {"modalities": ("text",)}, "Two modalities at least"),
        ("gram", {"modalities": ("text", "vidoe")}, "holds no 'vidoe'. Did you mean 'video'"),
        ("gram", {"modalities": ("text", "video"), "task": TASK}, "needs audio, which gets no head"),
        ("gram", {"method": "triangel"}, "Did you mean 'triangle'"),
        ("gram", {"train": "tran"}, "no split 'tran' to train on. Did you mean 'train'. Splits: test, train, val"),
        ("gram", {"validation": "Training"}, "'train' is the split that is trained on"),
        ("gram", {"validation": "train"}, "is the split that is trained on"),
        ("gram", {"validation": "vall"}, "no split 'vall'. Did you mean 'val'"),
        ("gram", {"temperature": 0.0}, "--temperature must be from 0.001 to 10"),
        ("gram", {"lr": 1e30}, "lower --lr"),
    ],
)
def test_what_cannot_be_trained_is_said_before_or_at_once(store, tmp_path, loss, changed, message):
    with pytest.raises(UserError, match=message):
        train_heads(store, tmp_path / "heads", loss, options=options(**changed))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"metric": "R@2"}, "none of R@1, R@5, R@10, MRR"),
        ({"epochs": 0}, "--epochs must be at least 1"),
        ({"batch_size": 1}, "--batch-size must be at least 2"),
        ({"lr": 0.0}, "--lr must be above 0"),
        ({"lr": float("nan")}, "--lr must be above 0"),
        ({"lr_warmup": 1.5}, "--lr-warmup is a share"),
        ({"warm_up": -1}, "--warm-up must be at least 0"),
        ({"dropout": 1.0}, "below 1"),
        ({"weight_decay": -1.0}, "--weight-decay must be at least 0"),
    ],
)
def test_options_out_of_range_are_refused(changed, message):
    with pytest.raises(UserError, match=message):
        options(**changed)


def test_heads_to_start_from_must_be_of_the_same_shape(store, tmp_path):
    train_heads(store, tmp_path / "start", "cosine", options=options(epochs=1))
    with pytest.raises(UserError, match=r"--dim 8 --hidden 0; asked for .* --dim 9 --hidden 0"):
        train_heads(store, tmp_path / "heads", "gram", options=options(dim=9, init=tmp_path / "start"))


def test_items_that_ancestors_trained_on_are_remembered(store, tmp_path):
    train_heads(store, tmp_path / "first", "cosine", options=options(epochs=1))
    train_heads(store, tmp_path / "second", "gram", options=options(epochs=1, init=tmp_path / "first", train="test"))
    write_projected(store, load_heads(tmp_path / "first"), store.ids, tmp_path / "seen")
    train_heads(open_store(tmp_path / "seen"), tmp_path / "third", "gram", options=options(epochs=1, train="test"))
    for one, name in ((store, "second"), (open_store(tmp_path / "seen"), "third")):
        seen = project(one, load_heads(tmp_path / name))
        for split in ("train", "test"):
            with pytest.raises(UserError, match="trained this store's heads"):
                measure(seen, tasks=[TASK], methods=["gram"], options=EvalOptions(split=split))


def test_the_order_of_tensors_in_a_file_changes_nothing(store, tmp_path):
    train_heads(store, tmp_path / "start", "cosine", options=options(epochs=1))
    weights = tmp_path / "start" / "heads.safetensors"
    digests = set()
    for k in range(4):  # safetensors gives the tensors of a file in another order every time
        train_heads(store, tmp_path / f"heads{k}", "cosine", options=options(epochs=15, init=tmp_path / "start"))
        digests.add((tmp_path / f"heads{k}" / "heads.safetensors").read_bytes())
    assert weights.exists()
    assert len(digests) == 1
    heads = load_heads(tmp_path / "start").heads
    turned = replace(heads, tensors=dict(reversed(list(heads.tensors.items()))))
    assert list(turned.trainable) == list(heads.trainable) == sorted(heads.trainable)


def test_a_modality_that_the_train_items_say_nothing_of_is_refused(tmp_path):
    store = make_views(tmp_path / "none", without_audio=range(60))
    with pytest.raises(UserError, match=r"0 train items have audio.*--modality text --modality video"):
        train_heads(store, tmp_path / "heads", "gram", options=options())
    found = train_heads(store, tmp_path / "heads", "gram", options=options(epochs=1, modalities=("text", "video")))
    assert found.modalities == ("text", "video")
    same = make_views(tmp_path / "same")
    same.embeddings("video")[:] = same.embeddings("video")[0].clone()
    with pytest.raises(UserError, match="one same video"):
        train_heads(same, tmp_path / "other", "gram", options=options())


def test_only_validation_items_that_are_ranked_are_counted(tmp_path):
    store = make_views(tmp_path / "store", without_audio=[60, 61, 62])
    found = train_heads(store, tmp_path / "heads", "gram", options=options(epochs=1))
    assert found.n_validation == 17
    assert any("3 validation items lack a modality of t2va" in note for note in found.notes)
    assert len(load_heads(tmp_path / "heads").config["selected"]) == 17
    nobody = make_views(tmp_path / "nobody", without_audio=range(60, 80))
    with pytest.raises(UserError, match="No validation item has all modalities of t2va"):
        train_heads(nobody, tmp_path / "none", "gram", options=options(epochs=1))


def test_what_the_heads_started_from_is_said(store, tmp_path):
    train_heads(store, tmp_path / "start", "cosine", options=options(epochs=3))
    found = train_heads(store, tmp_path / "heads", "gram", options=options(epochs=1, init=tmp_path / "start"))
    again = train_heads(store, tmp_path / "heads", "gram", options=options(epochs=1, init=tmp_path / "start"))
    for one in (found, again):
        assert any("The heads it started from had R@1" in note for note in one.notes)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda facts, tensors: tensors.pop("now/text/weight0"),
        lambda facts, tensors: tensors.update({"now/text/weight0": torch.zeros(3, 3)}),
        lambda facts, tensors: tensors.update({"adam/exp_avg/text/weight0": torch.tensor(float("nan"))}),
        lambda facts, tensors: tensors.pop("best/text/weight0"),
        lambda facts, tensors: facts.update(best=99),
        lambda facts, tensors: facts.update(best="x"),
        lambda facts, tensors: facts.update(plan=3),
        lambda facts, tensors: facts["history"].clear(),
        lambda facts, tensors: facts["history"][-1].update(measures=None),
        lambda facts, tensors: facts["history"][-1].update(epoch=7),
        lambda facts, tensors: facts["history"][-1]["measures"].pop("MRR"),
        lambda facts, tensors: facts["history"][-1].update(loss="x"),
        lambda facts, tensors: facts.update(start={"R@1": None}),
        lambda facts, tensors: facts.update(before=[]),
        lambda facts, tensors: facts.update(stage="other"),
        lambda facts, tensors: tensors.update({"now/text/weight0": tensors["now/text/weight0"].to(torch.int64)}),
    ],
)
def test_a_damaged_state_is_one_sentence(store, tmp_path, spoil):
    def stop(_done: int, _total: int, _words: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        train_heads(store, tmp_path / "heads", "gram", options=options(), progress=stop)
    path = tmp_path / "heads" / "training.safetensors"
    with safe_open(path, framework="pt") as file:
        facts = json.loads(file.metadata()["progress"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    spoil(facts, tensors)
    save_file(tensors, path, {"progress": json.dumps(facts)})
    with pytest.raises(UserError, match=r"training.safetensors(?:: | is damaged ).*--overwrite"):
        train_heads(store, tmp_path / "heads", "gram", options=options())


def test_every_method_has_a_loss_that_trains(store, tmp_path):
    for name in METHODS.names():
        found = train_heads(store, tmp_path / name, name, options=options(epochs=1))
        assert np.isfinite(found.history[0].loss)


def bits(folder: Path) -> bytes:
    return (folder / "heads.safetensors").read_bytes()


def stages_of(folder: Path) -> list[str]:
    return [line["stage"] for line in csv.DictReader((folder / "curves.csv").open())]


def test_a_warm_up_is_what_a_run_of_the_cosine_loss_would_be(store, tmp_path):
    how = options(patience=3, dropout=0.2)
    first = train_heads(store, tmp_path / "cosine", "cosine", options=how)
    second = train_heads(store, tmp_path / "by_hand", "gram", options=replace(how, init=tmp_path / "cosine"))
    found = train_heads(store, tmp_path / "heads", "gram", options=how)
    assert bits(tmp_path / "heads") == bits(tmp_path / "by_hand")
    assert (found.warm_up.history, found.warm_up.best) == (first.history, first.best)
    assert (found.history, found.best) == (second.history, second.best)
    assert stages_of(tmp_path / "heads") == ["warm-up"] * len(first.history) + ["main"] * len(second.history)
    again = train_heads(store, tmp_path / "heads", "gram", options=how)
    assert (again.warm_up, again.history) == (found.warm_up, found.history)


@pytest.mark.parametrize("loss", METHODS.names())
def test_losses_that_do_not_see_signs_start_from_a_warm_up_by_default(store, tmp_path, loss):
    found = train_heads(store, tmp_path / "heads", loss, options=options(epochs=2))
    assert (found.warm_up is not None) == (loss in {"gram", "span", "pmrl", "triangle", "symile"})
    assert any("A warm-up by the cosine loss came first" in note for note in found.notes) == bool(found.warm_up)


def test_a_warm_up_is_as_long_as_asked_for_and_none_after_heads_to_start_from(store, tmp_path):
    plain = options(epochs=2)
    lengths = {}
    for name, loss, changed in (
        ("five", "gram", {"warm_up": 5}),
        ("none", "gram", {"warm_up": 0}),
        ("cosine", "cosine", {"warm_up": 3}),
        ("after", "gram", {"init": tmp_path / "cosine"}),
        ("both", "gram", {"init": tmp_path / "cosine", "warm_up": 1}),
    ):
        found = train_heads(store, tmp_path / name, loss, options=replace(plain, **changed))
        lengths[name] = len(found.warm_up.history) if found.warm_up else 0
    assert lengths == {"five": 5, "none": 0, "cosine": 3, "after": 0, "both": 1}
    with pytest.raises(UserError, match="warm_up: 5 there, 2 now"):
        train_heads(store, tmp_path / "five", "gram", options=plain)


def test_progress_says_which_stage_it_is_and_counts_both(store, tmp_path):
    told = []
    train_heads(store, tmp_path / "heads", "gram", options=options(epochs=2), progress=lambda *one: told.append(one))
    assert [(done, total) for done, total, _ in told] == [(1, 2), (2, 2), (3, 4), (4, 4)]
    assert [words.startswith("warm-up by cosine: loss") for *_, words in told] == [True, True, False, False]


def test_a_warm_up_keeps_heads_from_pointing_opposite_ways(store, tmp_path):
    cosines = {}
    for name, epochs in (("with", None), ("without", 0)):
        train_heads(store, tmp_path / name, "gram", options=options(epochs=40, warm_up=epochs))
        cosines[name] = min(load_heads(tmp_path / name).config["mean_cosines"].values())
    assert cosines["with"] > 0.4
    assert cosines["without"] < -0.4


def test_of_epochs_alike_the_one_of_the_lowest_validation_loss_is_kept(store, tmp_path):
    found = train_heads(store, tmp_path / "heads", "cosine", options=options(epochs=40, metric="R@10"))
    alike = [one for one in found.history if one.measures["R@10"] == found.history[found.best - 1].measures["R@10"]]
    assert len(alike) > 1
    assert found.best == min(alike, key=lambda one: one.validation_loss).epoch > alike[0].epoch
    assert any(f"of {len(alike)} epochs alike the one of the lowest validation loss" in note for note in found.notes)


def test_the_validation_loss_is_that_of_the_items_whatever_trains_beside(store, tmp_path):
    train_heads(store, tmp_path / "heads", "gram", options=options(epochs=3, warm_up=0, patience=0))
    saved = load_heads(tmp_path / "heads")
    val = [k for k, split in enumerate(store.splits) if split == "val"]
    with torch.no_grad():
        rows = {
            name: saved.heads.project(name, store.embeddings(name)[[2 * k if name == "text" else k for k in val]])
            for name in store.modalities
        }
        loss = float(get_method("gram").loss(rows, anchor="text"))
    assert saved.config["history"][saved.config["best"] - 1]["validation_loss"] == pytest.approx(loss, abs=1e-6)


def test_few_validation_items_are_said_and_remembered(store, tmp_path):
    found = train_heads(store, tmp_path / "few", "cosine", options=options(epochs=1))
    assert any("chosen on 20 validation items: on fewer than 30" in note for note in found.notes)
    assert load_heads(tmp_path / "few").config["n_validation"] == 20
    found = train_heads(store, tmp_path / "many", "cosine", options=options(epochs=1, validation="test"))
    assert not any("fewer than" in note for note in found.notes)
    assert load_heads(tmp_path / "many").config["n_validation"] == 40


def test_names_of_splits_are_read_as_what_they_mean_and_it_is_said(store, tmp_path):
    plain = train_heads(store, tmp_path / "plain", "cosine", options=options(epochs=1))
    meant = options(epochs=1, train="Training", validation="Val")
    found = train_heads(store, tmp_path / "meant", "cosine", options=meant)
    assert bits(tmp_path / "meant") == bits(tmp_path / "plain")
    said = "Names of splits were read as what they mean: 'Training' as 'train', 'Val' as 'val'."
    assert said in found.notes
    assert not any("read as what they mean" in note for note in plain.notes)
    plans = [load_heads(tmp_path / name).config["plan"] for name in ("plain", "meant")]
    assert [(plan["train"], plan["validation"]) for plan in plans] == [("train", "val")] * 2


def test_a_store_whose_own_names_are_other_spellings_has_its_validation_split_found(tmp_path):
    splits = ["Training"] * 60 + ["validation"] * 20 + ["Test"] * 40
    store = make_views(tmp_path / "store", splits=splits)
    found = train_heads(store, tmp_path / "heads", "cosine", options=options(epochs=1))
    assert (found.n_train, found.n_validation) == (60, 20)


@pytest.mark.e2e
def test_two_processes_follow_the_curve_of_one(store, tmp_path):
    """Torchrun with gloo: the same global batches, losses and validation figures as one process."""
    arguments = ["align", str(store.path), "--loss", "gram", "--dim", "8", "--epochs", "4", "--batch-size", "20"]
    arguments += ["--lr", "0.01", "--dropout", "0.2", "--format", "json"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    alone = CliRunner().invoke(app, [*arguments, "-o", str(tmp_path / "one")])
    assert alone.exit_code == 0, alone.stderr
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "gramcli"]
    command = [*start, *arguments, "-o", str(tmp_path / "two")]
    both = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=False)
    assert both.returncode == 0, both.stderr
    documents = [json.loads(stdout) for stdout in (alone.stdout, both.stdout)]
    one, two = ([row["loss"] for row in document["results"]] for document in documents)
    np.testing.assert_allclose(one, two, rtol=1e-5)
    assert [row["R@1"] for row in documents[0]["results"]] == [row["R@1"] for row in documents[1]["results"]]
    first, second = (load_heads(tmp_path / name).heads.tensors for name in ("one", "two"))
    for name in first:
        torch.testing.assert_close(first[name], second[name], rtol=1e-3, atol=1e-4)


def notes_of(one) -> tuple[str, ...]:
    return measure(one, tasks=[TASK], methods=["gram"], options=EvalOptions(split="test")).notes


def test_what_is_known_of_heads_goes_with_every_store_that_they_make(store, tmp_path):
    found = train_heads(store, tmp_path / "heads", "gram", options=options(epochs=40, patience=3, warm_up=0))
    saved = load_heads(tmp_path / "heads")
    known = remarks(outcome_of(saved.config))
    assert [note for note in found.notes if note in known] == known
    opposite, *_ = known
    assert opposite.startswith("text and video of an item point opposite ways in these heads (mean cosine -")
    write_projected(store, saved, store.ids, tmp_path / "written")
    for one in (project(store, saved), open_store(tmp_path / "written")):
        assert [note for note in notes_of(one) if note in known] == known
    assert not set(known) & set(notes_of(store_in_one_space(tmp_path)))


def store_in_one_space(folder: Path):
    other = make_views(folder / "other")
    train_heads(other, folder / "fine", "cosine", options=options(epochs=4, validation="test"))
    return project(other, load_heads(folder / "fine"))


def test_a_comparison_says_of_each_contender_what_is_known_of_its_heads(store, tmp_path):
    for name, how in (("a", {"validation": "val"}), ("b", {"validation": "test", "dropout": 0.9})):
        train_heads(store, tmp_path / name, "cosine", options=options(epochs=2, **how))
        write_projected(store, load_heads(tmp_path / name), store.ids, tmp_path / f"seen_{name}")
    a, b = (str(tmp_path / f"seen_{name}") for name in ("a", "b"))
    few = "The heads' epoch was chosen on 20 validation items: on fewer than 30, others may be as good."
    last = "The heads' last epoch was their best: more --epochs may help."
    notes = compare(f"{a}@cosine", f"{b}@cosine", tasks=["t2va"], split="test").notes
    assert [note for note in notes if few in note] == [f"{a}@cosine: {few}"]
    assert [note for note in notes if last in note] == [last]
    notes = compare(f"{a}@cosine", f"{a}@gram", tasks=["t2va"], split="test").notes
    assert [note for note in notes if few in note] == [few]


@pytest.mark.parametrize(
    ("dataset", "said"),
    [
        ({"id": "msrvtt", "protocol": "msrvtt-1k@1"}, "gram embed msrvtt --root DIR --split all -o STORE"),
        ({"id": "msrvtt", "protocol": "mine"}, ""),
        ({"id": "clips", "protocol": None}, ""),
        (None, ""),
    ],
)
def test_a_store_of_test_items_alone_is_told_how_to_get_the_others(dataset, said):
    found = _remedy(SimpleNamespace(manifest={"dataset": dataset}), "train")
    assert found.endswith(f"{said}.") if said else not found
