"""The parts of a run: batches, the schedule, the state on disk."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gramcli.alignment.loop import Schedule
from gramcli.alignment.rows import Rows, batches, rows_of
from gramcli.alignment.state import STATE, Progress, load_progress, save_progress
from gramcli.errors import UserError
from gramcli.results.runs import Epoch
from tests.alignment.views import make_views


def rows(counts: list[int]) -> Rows:
    count = torch.tensor(counts)
    captions = torch.stack([count.cumsum(0) - count, count], dim=1)
    return Rows({"text": torch.zeros(int(count.sum()), 1)}, {"text": count > 0}, captions, None)


@given(
    counts=st.lists(st.integers(0, 4), min_size=2, max_size=30),
    size=st.integers(1, 30),
    seed=st.integers(0, 50),
    epoch=st.integers(1, 5),
)
def test_an_epoch_draws_every_item_at_most_once_with_one_of_its_captions(counts, size, seed, epoch):
    size = min(size, len(counts))
    made = rows(counts)
    found = list(batches(made, size, seed, epoch))
    assert len(found) == len(counts) // size
    items = torch.cat([one.items for one in found])
    assert len(items.unique()) == len(items) == len(found) * size
    captions = torch.cat([one.captions for one in found])
    first, count = made.captions[items].unbind(1)
    some = count > 0
    assert bool(((captions >= first) & (captions < first + count))[some].all())
    again = list(batches(made, size, seed, epoch))
    assert all(
        torch.equal(a.items, b.items) and torch.equal(a.captions, b.captions) for a, b in zip(found, again, strict=True)
    )


def test_every_caption_gets_its_turn():
    seen = {int(one.captions[one.items == 1][0]) for epoch in range(60) for one in batches(rows([1, 3]), 2, 0, epoch)}
    assert seen == {1, 2, 3}


def test_the_learning_rate_rises_and_falls_to_nothing():
    schedule = Schedule(
        epochs=10, steps=10, lr=0.5, lr_warmup=0.1, weight_decay=0, patience=0, metric="MRR", size=4, dropout=0, seed=0
    )
    rates = [schedule.rate(step) for step in range(100)]
    assert rates[0] == pytest.approx(0.05)
    assert rates[9] == pytest.approx(0.5)
    assert rates[55] == pytest.approx(0.25)
    assert rates[-1] < 2e-4
    assert max(rates) == pytest.approx(0.5)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    flat = Schedule(**{**vars(schedule), "lr_warmup": 0.0})
    assert flat.rate(0) == pytest.approx(0.5)


def test_rows_are_those_of_the_items(tmp_path):
    store = make_views(tmp_path / "store", 12, captions=3, without_audio=[5])
    found = rows_of(store, torch.tensor([2, 5, 9]), store.modalities, None)
    assert torch.equal(found.vectors["text"], store.embeddings("text")[[6, 7, 8, 15, 16, 17, 27, 28, 29]])
    assert torch.equal(found.vectors["video"], store.embeddings("video")[[2, 5, 9]])
    assert found.captions.tolist() == [[0, 3], [3, 3], [6, 3]]
    assert found.present["audio"].tolist() == [True, False, True]
    assert len(found.seen_by("audio")) == 2
    assert len(found.seen_by("text")) == 9


def test_state_comes_back_as_it_was_and_of_its_own_plan_only(tmp_path):
    progress = Progress(
        [Epoch(1, 0.1, 2.5, None, dict.fromkeys(("R@1", "R@5", "R@10", "MRR"), 0.5))],
        1,
        {"now/a": torch.ones(2), "best/a": torch.zeros(2)},
    )
    assert load_progress(tmp_path, {"seed": 1}) is None
    save_progress(tmp_path, {"seed": 1}, progress)
    found = load_progress(tmp_path, {"seed": 1})
    assert found is not None
    assert (found.history, found.best) == (progress.history, 1)
    assert torch.equal(found.tensors["now/a"], torch.ones(2))
    with pytest.raises(UserError, match="seed: 1 there, 2 now"):
        load_progress(tmp_path, {"seed": 2})
    (tmp_path / STATE).write_bytes(b"not a file of tensors")
    with pytest.raises(UserError, match=r"is damaged .*--overwrite"):
        load_progress(tmp_path, {"seed": 1})
