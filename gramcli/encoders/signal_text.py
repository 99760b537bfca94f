"""Text statistics of `signal`: hashed word and character n-grams, projected by a fixed matrix of signs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.feature_extraction.text import HashingVectorizer

from gramcli.encoders.blocks import SIZE, Floats, unit_vector

BUCKETS: Final = 2**13
# Words say most; pairs give order; pieces of words tie forms of one word together.
WEIGHTS: Final = (1.0, 0.5, 0.5)


@cache
def _vectorizers() -> tuple[Any, ...]:
    shared: dict[str, Any] = {"n_features": BUCKETS, "norm": "l2", "strip_accents": "unicode", "dtype": np.float64}
    words = {**shared, "token_pattern": r"(?u)\w+"}
    return (
        HashingVectorizer(**words),
        HashingVectorizer(ngram_range=(2, 2), **words),
        HashingVectorizer(analyzer="char_wb", ngram_range=(3, 4), **shared),
    )


@cache
def _signs() -> npt.NDArray[np.float64]:
    """Signs [buckets, values] from the raw bits of PCG64, which stay the same in every NumPy."""
    values = SIZE - 1
    raw = np.random.PCG64(256).random_raw(BUCKETS * SIZE // 64).astype("<u8")
    bits = np.unpackbits(raw.view(np.uint8)).reshape(BUCKETS, SIZE)[:, :values]
    return np.asarray((bits * 2.0 - 1.0) / np.sqrt(values), dtype=np.float64)


def text_features(texts: Sequence[str]) -> list[Floats]:
    """Describe texts by the words, pairs of words and pieces of words in them.

    Args:
        texts: Any texts; case and accents do not count. The empty string gives a fixed vector.

    Returns:
        Unit vectors, shape [256] each; the same for a text in any company.
    """
    counts = [weight * one.transform(texts) for weight, one in zip(WEIGHTS, _vectorizers(), strict=True)]
    total = sparse.csr_array(counts[0] + counts[1] + counts[2])
    return [unit_vector([row]) for row in total @ _signs()]
