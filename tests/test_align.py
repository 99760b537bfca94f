"""The closed-form heads: what they recover, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest

from gramcli.align import fit_linear_heads
from gramcli.errors import UserError


def views(n: int = 200, seed: int = 0) -> dict[str, np.ndarray]:
    """Text sees both halves of a hidden code, video the first, audio the second; each in its own dimension."""
    rng = np.random.default_rng(seed)
    code = rng.normal(size=(n, 12))
    maps = np.random.default_rng(99)
    seen = {"text": code, "video": code[:, :8], "audio": code[:, 8:]}
    return {
        name: (part @ maps.normal(size=(part.shape[1], d)) + 2.0 * rng.normal(size=(n, d)) + 5).astype(np.float32)
        for (name, part), d in zip(seen.items(), (40, 30, 20), strict=True)
    }


def recall_at_1(scores: np.ndarray) -> float:
    return float((scores.argmax(axis=1) == np.arange(len(scores))).mean())


def test_heads_align_unseen_rows_and_two_modalities_beat_one():
    heads = fit_linear_heads(views(), dim=12)
    test = views(60, seed=1)
    text, video, audio = (heads.apply(name, test[name]) for name in ("text", "video", "audio"))
    assert heads.dim == 12
    assert text.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(video, axis=1), 1, atol=1e-6)
    of_video, of_audio = recall_at_1(text @ video.T), recall_at_1(text @ audio.T)
    assert of_audio > 0.1
    assert recall_at_1(text @ video.T + text @ audio.T) > max(of_video, of_audio)


def test_a_row_does_not_depend_on_its_batch_and_fitting_twice_gives_the_same_bits():
    train, test = views(), views(50, seed=2)
    first, second = fit_linear_heads(train), fit_linear_heads(train)
    rows = first.apply("video", test["video"])
    alone = np.concatenate([second.apply("video", row[None]) for row in test["video"]])
    assert rows.tobytes() == alone.tobytes()


def test_the_training_mean_and_constant_modalities_stay_finite():
    train = views(30) | {"depth": np.ones((30, 5))}
    heads = fit_linear_heads(train, dim=1000)
    assert heads.dim == 30
    for name in ("text", "depth"):
        row = heads.apply(name, heads.means[name][None])
        assert row[0, 0] == 1
        assert np.isfinite(row).all()


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({"text": None}, {}, "need 'text' and another modality; got video, audio"),
        ({"video": np.ones((3, 2))}, {}, r"'video' must be \[20, d\]"),
        ({"audio": np.full((20, 2), np.nan)}, {}, "'audio' hold NaN"),
        ({}, {"dim": 0}, "dim >= 1"),
        ({}, {"ridge": 0.0}, "ridge > 0"),
        ({}, {"ridge": float("nan")}, "ridge > 0"),
    ],
)
def test_bad_training_data_is_refused(change, options, message):
    train = {name: rows for name, rows in (views(20) | change).items() if rows is not None}
    with pytest.raises(UserError, match=message):
        fit_linear_heads(train, **options)


def test_bad_input_of_a_head_is_refused():
    heads = fit_linear_heads(views(20))
    with pytest.raises(UserError, match=r"No head was fitted for 'depth'\. Fitted: text, video, audio"):
        heads.apply("depth", np.ones((1, 2)))
    with pytest.raises(UserError, match=r"takes \[n, 30\]; got \[1, 2\]"):
        heads.apply("video", np.ones((1, 2)))
    with pytest.raises(UserError, match="at least 2 training items"):
        fit_linear_heads({name: rows[:1] for name, rows in views(20).items()})
