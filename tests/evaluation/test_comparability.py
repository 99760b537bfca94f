"""What `compare` refuses: decided by what evaluations recorded of their questions, never by place or by chance."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gramcli.errors import UserError
from gramcli.evaluation.compare import compare
from gramcli.evaluation.measure import EvalOptions, measure
from gramcli.modalities import parse_task
from gramcli.results.documents import dump_json, evaluation_document, load_evaluation
from gramcli.results.records import Evaluation
from gramcli.store import open_store, write_store

N, D = 12, 8
TASKS = [parse_task("t2v")]
TEXTS = [f"a clip of {name}" for name in "abcdefghijklmnopqrstuvwx"]


def evaluated(
    path: Path,
    *,
    order: Sequence[int] = range(N),
    texts: Sequence[str] | None = TEXTS,
    flip: bool = False,
    labels: Sequence[str] | None = None,
    dataset: str = "made",
    seed: int = 0,
    **options: object,
) -> Evaluation:
    """Items a..l in some order, two captions each, which `flip` exchanges; another seed is another model."""
    rng = np.random.default_rng(0)
    common = rng.normal(size=(N, D))
    noise = 0.8 * np.random.default_rng(7 + seed).normal(size=(N, 2, D))
    captions = common[:, None] + noise
    video = common + 0.8 * np.random.default_rng(99 + seed).normal(size=(N, D))
    said = np.array(texts if texts is not None else [""] * 2 * N).reshape(N, 2)
    if flip:
        captions, said = captions[:, ::-1], said[:, ::-1]
    chosen = list(order)
    write_store(
        path,
        ids=["abcdefghijkl"[k] for k in chosen],
        splits=[None] * len(chosen),
        labels=[labels[k] if labels else None for k in chosen],
        embeddings={
            "text": captions[chosen].reshape(-1, D).astype(np.float32),
            "video": video[chosen].astype(np.float32),
        },
        caption_items=np.repeat(np.arange(len(chosen)), 2),
        captions=None if texts is None else said[chosen].ravel().tolist(),
        status={},
        model={"id": f"made {seed}", "shared_space": True},
        dataset={"id": dataset, "protocol": "manifest", "annotation_sha256": None},
    )
    return measure(open_store(path), tasks=TASKS, methods=["cosine"], options=EvalOptions(**options))


def rows(a: Evaluation, b: Evaluation, **options: object) -> dict[tuple[str, str], float]:
    return {(row.task, row.metric): row.delta for row in compare(a, b, **options).rows}


def test_item_against_label(tmp_path: Path) -> None:
    labels = ["x"] * 6 + ["y"] * 6
    item, label = (evaluated(tmp_path / relevant, labels=labels, relevant=relevant) for relevant in ("item", "label"))
    with pytest.raises(UserError, match=r"not comparable on t2v: they differ in relevant \(item against label\)"):
        compare(item, label)
    found = compare(item, label, allow_different=["relevant"])
    assert any("although relevant (item against label) differs" in note for note in found.notes)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"ties": "pessimistic"}, r"they differ in ties \(mean against pessimistic\)"),
        ({"dataset": "other"}, r"they differ in dataset \(made against other\)"),
        ({"missing": "zero"}, r"they differ in missing \(drop against zero\)"),
        ({"protocol": "mine"}, r"they differ in protocol \(manifest against mine\)"),
        ({"normalize": "dsl"}, r"they differ in stage \(raw against raw\+dsl:tau=100"),
    ],
)
def test_other_rules(tmp_path: Path, options: dict[str, str], said: str) -> None:
    one, other = evaluated(tmp_path / "a"), evaluated(tmp_path / "b", **options)
    with pytest.raises(UserError, match=said):
        compare(one, other)
    rule = {"normalize": "stage"}.get(next(iter(options)), next(iter(options)))
    assert any("as --allow-different asks" in note for note in compare(one, other, allow_different=[rule]).notes)


def test_other_parameters_of_a_normalisation(tmp_path: Path) -> None:
    one, other = (evaluated(tmp_path / f"{tau}", normalize=f"dsl:tau={tau}") for tau in (10, 20))
    with pytest.raises(UserError, match="differ in stage"):
        compare(one, other)


def test_models_and_methods_are_the_point(tmp_path: Path) -> None:
    one, other = evaluated(tmp_path / "a"), evaluated(tmp_path / "b", seed=1)
    assert rows(one, other)
    assert compare(one, replace(one, ranks=tuple(replace(v, method="gram") for v in one.ranks))).rows


def test_changed_captions_under_the_same_ids(tmp_path: Path) -> None:
    changed = [*TEXTS[:5], "something else", *TEXTS[6:]]
    one, other = evaluated(tmp_path / "a"), evaluated(tmp_path / "b", texts=changed, seed=1)
    said = r"24 and 24 queries, 23 of them the same; for instance 'c' of .* asks something else"
    with pytest.raises(UserError, match=said):
        compare(one, other)
    assert any("compared on the 23 queries" in note for note in compare(one, other, intersect=True).notes)


def test_captions_in_the_gallery_are_part_of_it(tmp_path: Path) -> None:
    changed = [*TEXTS[:5], "something else", *TEXTS[6:]]
    one, other = evaluated(tmp_path / "a"), evaluated(tmp_path / "b", texts=changed, seed=1)
    backward = [replace(found, ranks=tuple(v for v in found.ranks if v.task == "v2t")) for found in (one, other)]
    with pytest.raises(UserError, match="not comparable on v2t: the same queries were ranked among other candidates"):
        compare(*backward)
    assert any("galleries differ" in note for note in compare(*backward, allow_different=["gallery"]).notes)


def test_captions_of_an_item_in_another_order_are_paired_by_what_they_say(tmp_path: Path) -> None:
    one, other = evaluated(tmp_path / "a"), evaluated(tmp_path / "b", flip=True)
    assert set(rows(one, other).values()) == {0.0}
    flipped = np.array(other.ranks[0].ranks).reshape(N, 2)[:, ::-1]
    assert (flipped == np.array(one.ranks[0].ranks).reshape(N, 2)).all()
    assert (flipped[:, ::-1] != flipped).any()


def test_items_in_another_order_are_the_same_questions(tmp_path: Path) -> None:
    one, other = evaluated(tmp_path / "a"), evaluated(tmp_path / "b", order=range(N)[::-1])
    assert set(rows(one, other).values()) == {0.0}


def test_stores_without_texts_are_told_apart_by_their_vectors_where_the_model_is_one(tmp_path: Path) -> None:
    one, same = evaluated(tmp_path / "a", texts=None), evaluated(tmp_path / "b", texts=None, flip=True)
    assert set(rows(one, same).values()) == {0.0}
    other = evaluated(tmp_path / "c", texts=None, seed=1)
    assert any("not known to whoever wrote the stores" in note for note in compare(one, other).notes)


def test_an_evaluation_that_records_nothing_is_refused(tmp_path: Path) -> None:
    one = evaluated(tmp_path / "a")
    with pytest.raises(UserError, match=r"evaluation@cosine does not record what was asked \(an older gramcli"):
        compare(one, replace(one, questions=(), provenance={**one.provenance, "store": None}))
    found = compare(one, replace(one, questions=()), allow_different=["questions"])
    assert any("paired by item and place" in note for note in found.notes)
    with pytest.raises(UserError, match=r"--allow-different 'question' is none of .*Did you mean 'questions'"):
        compare(one, one, allow_different=["question"])


def test_questions_come_back_from_json(tmp_path: Path) -> None:
    found = evaluated(tmp_path / "a")
    path = tmp_path / "found.json"
    path.write_text(dump_json(evaluation_document(found)))
    assert load_evaluation(path).questions == found.questions
    assert load_evaluation(path).ranks == found.ranks


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("ranks", [99999.0] * 24, "has a rank of 99999 among 12 candidates"),
        ("tied", [[0, 1]], r"ranks\[0\].tied\[0\] must be a list of 3 entries; got 2"),
        ("tied", 3, r"ranks\[0\].tied must be a list; got a whole number"),
        ("tied", [[99, 1, 1]], r"ranks\[0\].tied names a query beyond the 24 there are"),
    ],
)
def test_ranks_that_cannot_be_are_refused(tmp_path: Path, field: str, value: object, said: str) -> None:
    document = json.loads(dump_json(evaluation_document(evaluated(tmp_path / "a"))))
    document["ranks"][0][field] = value
    path = tmp_path / "found.json"
    path.write_text(json.dumps(document))
    with pytest.raises(UserError, match=said):
        load_evaluation(path)


def test_only_the_gallery_s_content_counts(tmp_path: Path) -> None:
    """Two stores of 12 and 11 items: the same number of queries, another gallery."""
    one = evaluated(tmp_path / "a")
    asked = tuple(replace(question, gallery="0" * 64) for question in one.questions)
    with pytest.raises(UserError, match="among other candidates"):
        compare(one, replace(one, questions=asked))


def test_all_rules_that_differ_are_named_at_once(tmp_path: Path) -> None:
    one, other = evaluated(tmp_path / "a"), evaluated(tmp_path / "b", ties="pessimistic", missing="zero")
    said = r"differ in ties .*, missing .*\. With --allow-different ties --allow-different missing they are compared"
    with pytest.raises(UserError, match=said):
        compare(one, other)
    assert compare(one, other, allow_different=["ties", "missing"]).rows
