"""The catalog of score normalisations; no torch, so that listing them is quick."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gramcli.catalog import Catalog


@dataclass(frozen=True)
class NormalizationRow:
    """What the tool knows of a normalisation before loading it.

    Attributes:
        name: The word used on the command line and in JSON.
        target: `module:class`.
        title: What the literature calls it.
        formula: In plain text; S is the score, or minus it where lower is better.
        defaults: Its options; an int is a count, a float a positive number.
        needs_bank: Its statistics come from a querybank; else from the tested queries (transductive).
        paper: Where it comes from.
    """

    name: str
    target: str
    title: str
    formula: str
    defaults: Mapping[str, float]
    needs_bank: bool
    paper: str


NORMALIZATIONS = Catalog(
    "normalization",
    [
        NormalizationRow(
            "dsl", "gramcli.scoring.normalizers:DualSoftmax", "dual softmax",
            "(S + c) softmax(tau S) over those that ask, c the largest value of a measure that is better low, else 0",
            {"tau": 100.0}, False, "arXiv:2109.04290",
        ),
        NormalizationRow(
            "csls", "gramcli.scoring.normalizers:Csls", "cross-domain similarity local scaling",
            "2 S - r_q - r_c, r the mean of the k largest", {"k": 10}, False, "arXiv:1710.04087",
        ),
        NormalizationRow(
            "qbnorm", "gramcli.scoring.normalizers:QueryBankNorm", "querybank normalisation",
            "exp(beta S) / sum over bank of exp(beta S), where activated", {"beta": 20.0, "k": 1}, True,
            "arXiv:2112.12777",
        ),
    ],
    group="gramcli.normalizations",
)  # fmt: skip
