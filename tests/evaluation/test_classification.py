"""Whole classifications of small stores, their figures recomputed from the embeddings."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from gramcli.datasets import open_dataset
from gramcli.embedding.options import EmbedOptions
from gramcli.embedding.writing import write_embeddings
from gramcli.encoders import load_encoder
from gramcli.errors import UserError
from gramcli.evaluation.measure import measure
from gramcli.evaluation.options import ClassOptions, EvalOptions
from gramcli.metrics.probe import GRID
from gramcli.modalities import Task, parse_task
from gramcli.report import Format
from gramcli.report.formats import render
from gramcli.report.tables import evaluation_answer
from gramcli.store import open_store, write_store

D, NAMES = 8, ("car horn", "dog", "rain")
TEXTS = dict(zip(NAMES, np.random.default_rng(7).normal(size=(3, D)), strict=True))


def encode(texts):
    return np.stack([TEXTS[text] for text in texts]) / 3


MADE = {"id": "made", "protocol": "manifest", "annotation_sha256": None}


def labelled(
    path: Path, *, splits=None, labels=None, without_audio=(), n: int = 60, fused: bool = False, noise=1.2, dataset=MADE
):
    random = np.random.default_rng(0)
    classes = random.integers(0, 3, n)
    centres = np.stack(list(TEXTS.values()))
    rows = {
        name: (centres[classes] + noise * random.normal(size=(n, D))).astype(np.float32) for name in ("video", "audio")
    }
    if fused:
        rows["va"] = (rows["video"] + rows["audio"]) / 2
    rows["audio"][list(without_audio)] = 0
    write_store(
        path,
        ids=[f"item{k:02d}" for k in range(n)],
        splits=splits or ["train"] * 30 + ["val"] * 10 + ["test"] * (n - 40),
        labels=labels or [NAMES[k].replace(" ", "_") for k in classes],
        embeddings=rows,
        caption_items=None,
        status={"audio": ["failed: broken" if k in without_audio else "ok" for k in range(n)]},
        model={"id": "made", "shared_space": True},
        dataset=dataset,
    )
    return open_store(path), rows, classes


def classified(store, tasks=(), methods=(), **options):
    how = {name: options.pop(name) for name in ("templates", "neighbours", "classifiers") if name in options}
    texts = options.pop("texts", encode)
    how = ClassOptions({} if texts is None else {"text": texts}, **how)
    return measure(
        store, tasks=tasks, methods=methods, options=EvalOptions(kinds=("classification",), classes=how, **options)
    )


def figure(found, task, method, metric="accuracy"):
    (row,) = [row for row in found.results if (row.task, row.method, row.metric) == (task, method, metric)]
    return row.value


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def test_every_classifier_over_every_set(tmp_path):
    store, rows, classes = labelled(tmp_path / "s")
    found = classified(store, methods=["cosine", "gram", "triangle"])
    assert list(dict.fromkeys(row.task for row in found.results)) == ["v2class", "v", "a2class", "a", "va2class", "va"]
    test, train = slice(40, 60), slice(0, 30)
    cosines = unit(rows["video"][test].astype(float)) @ unit(np.stack(list(TEXTS.values()))).T
    assert figure(found, "v2class", "cosine") == (cosines.argmax(axis=1) == classes[test]).mean()
    assert figure(found, "v2class", "gram") == (np.abs(cosines).argmax(axis=1) == classes[test]).mean()
    assert {row.method for row in found.results if row.task == "va2class"} == {"cosine", "gram", "triangle"}
    both = np.concatenate([unit(rows["video"].astype(float)), unit(rows["audio"].astype(float))], axis=1)
    model = KNeighborsClassifier(3, metric="cosine", algorithm="brute").fit(both[train], classes[train])
    odd = classified(store, [parse_task("v2a")], classifiers=("knn",), neighbours=3)
    shares = model.predict_proba(both[test])
    decided = shares.max(axis=1) > 0.5
    assert [rank == 1 for rank, sure in zip(odd.ranks[0].ranks, decided, strict=True) if sure] == [
        bool(hit) for hit in (model.predict(both[test]) == classes[test])[decided]
    ]
    raw = np.concatenate([rows["video"], rows["audio"]], axis=1).astype(float)
    scaler = StandardScaler().fit(raw[train])
    strength = found.provenance["classification"]["probe"]["va"]["C"]
    model = LogisticRegression(C=strength, max_iter=1000).fit(scaler.transform(raw[train]), classes[train])
    assert figure(found, "va", "probe") == model.score(scaler.transform(raw[test]), classes[test])
    confusion = next(
        x for x in found.provenance["classification"]["confusion"] if (x["task"], x["method"]) == ("va", "probe")
    )
    assert sum(confusion["count"]) == 20
    assert found.provenance["classification"]["classes"] == list(NAMES)
    (note,) = [note for note in found.notes if note.startswith("Zero-shot ranks")]
    assert "3 class texts for each clip (not clips for each text)" in note
    assert any("chosen on the validation split" in note for note in found.notes)


def test_real_digits_from_their_files(reference_data, tmp_path):
    """Pictures and recordings of digits3 through `signal`: figures equal scikit-learn on the stored vectors."""
    source = reference_data / "data" / "digits3"
    every = json.loads((source / "annotations.json").read_text())
    parts = [
        [row for row in every if row["split"] == name][:n] for name, n in (("train", 120), ("val", 30), ("test", 60))
    ]
    rows = [
        {key: str(row[key]) for key in ("id", "image", "audio", "label", "split")} for part in parts for row in part
    ]
    (tmp_path / "digits.json").write_text(json.dumps(rows))
    dataset = open_dataset(str(tmp_path / "digits.json"), source)
    write_embeddings(dataset, load_encoder("signal"), tmp_path / "s", options=EmbedOptions(workers=0))
    store = open_store(tmp_path / "s")
    found = classified(store, texts=None)
    y = np.array(store.labels)
    for task, names in (("i", ["image"]), ("ai", ["audio", "image"])):
        x = np.concatenate([store.embeddings(name).numpy().astype(float) for name in names], axis=1)
        scaler = StandardScaler().fit(x[:120])
        scored = []
        for c in GRID:
            with threadpool_limits(1):  # threads of a small product wait for each other
                model = LogisticRegression(C=c, max_iter=1000).fit(scaler.transform(x[:120]), y[:120])
            scored.append((model.score(scaler.transform(x[120:150]), y[120:150]), -c, model))
        _, c, model = max(scored, key=lambda entry: entry[:2])
        predicted = model.predict(scaler.transform(x[150:]))
        assert found.provenance["classification"]["probe"][task]["C"] == -c
        assert figure(found, task, "probe") == accuracy_score(y[150:], predicted)
        assert figure(found, task, "probe", "macro_f1") == pytest.approx(f1_score(y[150:], predicted, average="macro"))
        recall = balanced_accuracy_score(y[150:], predicted)
        assert figure(found, task, "probe", "mean_recall") == pytest.approx(recall)
        nearest = KNeighborsClassifier(1, metric="cosine", algorithm="brute").fit(x[:120], y[:120])
        alone = classified(store, [Task(("text",), tuple(names))], texts=None, classifiers=("knn",), neighbours=1)
        assert figure(alone, task, "knn(k=1)") == nearest.score(x[150:], y[150:])


def test_a_store_alone_says_how_to_get_zero_shot(tmp_path):
    store, *_ = labelled(tmp_path / "s")
    found = classified(store, texts=None)
    assert {row.method for row in found.results} == {"knn(k=10)", "probe"}
    assert [note for note in found.notes if note.startswith("No zero-shot")] == [
        "No zero-shot: the model must encode class names: gram eval MODEL --dataset DATA --metrics classification."
    ]
    with pytest.raises(UserError, match="--classifier zero-shot: the model must encode"):
        classified(store, texts=None, classifiers=("zero-shot",))


def test_without_a_train_split_zero_shot_still_works(tmp_path):
    store, *_ = labelled(tmp_path / "s", splits=[None] * 60)
    found = classified(store, methods=["cosine"])
    assert {row.method for row in found.results} == {"cosine"}
    lacks = "there is no labelled item of split 'train' to learn from; no labelled item names a split"
    assert f"No knn and no probe: {lacks}." in found.notes
    with pytest.raises(UserError, match=r"Nothing was classified\. No zero-shot"):
        classified(store, texts=None)
    with pytest.raises(UserError, match="--classifier probe: there is no labelled item"):
        classified(store, classifiers=("probe",))


def test_without_a_train_split_the_splits_there_are_are_named(tmp_path):
    store, *_ = labelled(tmp_path / "s", splits=["Train"] * 40 + ["test"] * 20)
    message = "'Train' 40, 'test' 20; rename 'Train' to 'train'"
    with pytest.raises(UserError, match=f"--classifier knn: .* labelled items by split: {message}"):
        classified(store, classifiers=("knn",))


def test_items_without_label_or_modality_are_listed(tmp_path):
    store, _, classes = labelled(tmp_path / "s", without_audio=(41, 3))
    names = [None if k == 45 else NAMES[c] for k, c in enumerate(classes)]
    store, *_ = labelled(tmp_path / "t", without_audio=(41, 3), labels=names)
    found = classified(store, methods=["gram", "triangle"])
    assert {(entry.id, entry.modality) for entry in found.left_out} == {("item45", "label"), ("item41", "audio")}
    sizes = {(row.task, row.method): row.n for row in found.results}
    assert sizes["v", "probe"] == 19
    assert sizes["va", "probe"] == sizes["va2class", "gram"] == 18
    present = classified(store, methods=["gram", "triangle"], missing="present")
    sizes = {(row.task, row.method): row.n for row in present.results}
    assert sizes["va2class", "gram"] == 19
    assert sizes["va", "knn(k=10)"] == 18
    assert ("va2class", "triangle") not in sizes
    with pytest.raises(UserError, match="Item 'item41' has no audio"):
        classified(store, missing="error")


def test_classes_that_train_lacks_are_misses_and_said(tmp_path):
    _, _, classes = labelled(tmp_path / "s")
    names = ["bee" if k in (50, 51) else NAMES[c] for k, c in enumerate(classes)]
    store, *_ = labelled(tmp_path / "t", labels=names)
    found = classified(store, texts=None)
    assert any(note.startswith("2 of 20 items have no class that occurs in train") for note in found.notes)
    missed = dict(zip(found.ranks[0].query_ids, found.ranks[0].ranks, strict=True))
    assert missed["item50"] > 1
    assert {tuple(row.metric for row in found.results if row.method == "probe")[:2]} == {("accuracy", "macro_f1")}


def test_several_labels_an_item_give_map(tmp_path):
    _, _, classes = labelled(tmp_path / "s")
    names = [NAMES[c] + ("|wet" if c == 2 else "") for c in classes]
    store, *_ = labelled(tmp_path / "t", labels=names)
    found = classified(
        store, texts=lambda texts: np.stack([TEXTS.get(t, TEXTS["rain"]) for t in texts]), methods=["cosine"]
    )
    assert {row.metric for row in found.results} == {"mAP"}
    assert not found.ranks
    assert any("1 class texts the vector of another" in note for note in found.notes)
    assert figure(found, "va", "probe", "mAP") > 0.6
    (table,) = evaluation_answer(found).tables
    assert table.columns == ("task", "method", "mAP", "n")


def test_figures_without_interval_are_shown_bare_and_a_note_says_why(tmp_path):
    _, _, classes = labelled(tmp_path / "s")
    names = [NAMES[c] if k < 40 else NAMES[c % 2] for k, c in enumerate(classes)]
    found = classified(labelled(tmp_path / "t", labels=names)[0], methods=["cosine"])
    lacks = "macro_f1 and mean_recall have no 95 % interval: of 3 classes 2 have an item, and an interval takes 3."
    assert lacks in found.notes
    answer = evaluation_answer(found)
    cells = dict(zip(answer.tables[0].columns, answer.tables[0].rows[0], strict=True))
    assert re.fullmatch(r"\d+\.\d", cells["macro_f1"])
    assert "[" in cells["accuracy"]
    row = next(row for row in json.loads(render(answer, Format.json))["results"] if row["metric"] == "macro_f1")
    assert (row["low"], row["high"]) == (None, None)
    line = next(line for line in render(answer, Format.csv).splitlines() if ",macro_f1," in line)
    assert line.split(",")[5:7] == ["", ""]


def test_one_label_of_one_item_takes_the_interval_of_map(tmp_path):
    names = [f"{NAMES[0]}|{NAMES[1]}"] * 20 + [NAMES[k % 3] for k in range(40)]
    names[-1] += "|once"
    found = classified(labelled(tmp_path / "s", labels=names)[0], texts=None)
    assert "mAP has no 95 % interval: of 4 classes 3 have two items or more, and an interval takes 4." in found.notes
    assert all((row.low, row.high) == (None, None) for row in found.results)


def test_the_model_s_own_fused_embedding_is_no_joint_set(tmp_path):
    store, *_ = labelled(tmp_path / "s", fused=True)
    found = classified(store, methods=["cosine"], classifiers=("zero-shot",))
    assert [row.task for row in found.results if row.metric == "accuracy"] == [
        "v2class", "a2class", "fused-va2class", "va2class",
    ]  # fmt: skip
    asked = classified(store, [Task(("text",), ("va",))], ["cosine"], classifiers=("knn",))
    assert {row.task for row in asked.results} == {"fused-va"}


def test_templates_reach_the_encoder(tmp_path):
    store, *_ = labelled(tmp_path / "s")
    seen = []

    def spy(texts):
        seen.extend(texts)
        return encode([text.removeprefix("a ") for text in texts])

    found = classified(store, texts=spy, templates=("a {}", "{}"), methods=["cosine"])
    assert seen == ["a car horn", "car horn", "a dog", "dog", "a rain", "rain"]
    assert found.provenance["classification"]["templates"] == ["a {}", "{}"]


def test_ties_are_said_and_are_no_hits(tmp_path):
    store, *_ = labelled(tmp_path / "s")
    found = classified(
        store, texts=lambda texts: np.ones((len(texts), D)), methods=["cosine"], classifiers=("zero-shot",)
    )
    assert figure(found, "v2class", "cosine") == 0
    assert any("v2class cosine: 20 of 20" in note for note in found.notes)


def test_refusals(tmp_path):
    store, *_ = labelled(tmp_path / "s")
    with pytest.raises(UserError, match="holds no 'depth'"):
        classified(store, [parse_task("t2d")])
    with pytest.raises(UserError, match="nothing but text"):
        classified(store, [Task(("text",), ("text",))])
    with pytest.raises(UserError, match="v2class was left out: class texts have 3 dimensions, video 8"):
        classified(store, [parse_task("t2v")], texts=lambda texts: np.ones((len(texts), 3)))


def test_tables_show_the_best_classifier_s_confusions(tmp_path):
    store, *_ = labelled(tmp_path / "s", noise=2.5)
    answer = evaluation_answer(classified(store, texts=None))
    headline, confusions = answer.tables
    assert headline.columns == ("task", "method", "accuracy", "macro_f1", "mean_recall", "n")
    assert headline.rows[0][:2] == ("v", "knn(k=10)")
    best = max(float(row[2].split()[0]) for row in headline.rows)
    assert confusions.columns == ("class", "taken for", "items", "of")
    mistakes = int(confusions.title.split(": ")[1].split()[0])
    assert best == pytest.approx(100 * (1 - mistakes / 20))


def test_the_seed_changes_nothing_but_intervals(tmp_path):
    store, *_ = labelled(tmp_path / "s")
    once, again = (classified(store, methods=["gram"], seed=seed) for seed in (0, 1))
    assert [row.value for row in once.results] == [row.value for row in again.results]


def test_a_c_that_nothing_chose_is_said(tmp_path):
    labels = ["dog", "rain", *["dog", "rain"] * 29]
    store, _, _ = labelled(tmp_path / "s", labels=labels, splits=["train"] * 2 + ["test"] * 58)
    found = classified(store, classifiers=("probe",))
    assert not any("was chosen on" in note for note in found.notes)
    assert "The probe of v, a, va had no item to choose C on: C = 1." in found.notes
    store, _, _ = labelled(tmp_path / "half", without_audio=range(30, 40))
    found = classified(store, classifiers=("probe",))
    assert "The probe of a, va had no item to choose C on: C = 1." in found.notes
    assert any(note.startswith("The probe's C was chosen on the validation split") for note in found.notes)


def test_a_probe_that_cannot_be_costs_no_other_figure(tmp_path):
    labels = ["dog"] * 30 + ["dog", "rain"] * 15
    store, _, _ = labelled(tmp_path / "s", labels=labels)
    found = classified(store)
    assert {row.method for row in found.results if row.task == "v"} == {"knn(k=10)"}
    assert "No probe for v: the train split has one class with it, and a probe needs two." in found.notes
    with pytest.raises(UserError, match="No probe for v"):
        classified(store, classifiers=("probe",))


def test_published_accuracies_stand_beside_measured_ones(tmp_path):
    dataset = {"id": "vggsound", "protocol": "vggsound-5k@1", "annotation_sha256": None, "n": 60}
    store, _, _ = labelled(tmp_path / "s", dataset=dataset)
    found = classified(store, methods=["gram"], reference=True)
    answered = {(f.model, f.value, f.measured) for f in found.reference if f.measured is not None}
    accuracy = figure(found, "va2class", "gram")
    assert answered == {("GRAM zero-shot", 0.406, accuracy), ("GRAM released", 0.405, accuracy)}
