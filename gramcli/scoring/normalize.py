"""Exact ranks under a normalised score: `rank` for scores that dual softmax, CSLS or QB-norm have changed.

Statistics and ranks come from the float64 reference scores, a tile at a time, in O(n + N + tile) memory:
one pass over the tiles per statistic and one to count. Ranks do not depend on the tile size or the number
of threads; what that rests on is in `gramcli.scoring.normalizers`. There is no fast pass: a normalised
score is a function of the whole matrix, and the bound on a tile's error does not carry over.

dsl and csls look at all tested queries to rank one: they are transductive, and figures that use them
must say so. qbnorm looks at a bank of other queries instead.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from gramcli.catalog import did_you_mean
from gramcli.errors import UserError
from gramcli.methods.base import AlignmentMethod
from gramcli.scoring.normalizations import NORMALIZATIONS, NormalizationRow
from gramcli.scoring.normalizers import Normalizer, Setting, Tile
from gramcli.scoring.pairs import pair_keys
from gramcli.scoring.positives import Positives, PositivesLike, read_positives
from gramcli.scoring.ranks import Direction, RankOptions, Ranks, counted_ranks
from gramcli.scoring.scores import as_method, index, key_tiles, parts
from gramcli.scoring.screening import COLUMN_TILE, EVERYTHING, ROW_TILE, Embeddings, Presence, open_sides, sides_text


@dataclass(frozen=True)
class Bank:
    """Items that ask as the tested ones do, but are not tested: for instance the train split.

    Attributes:
        queries: Modality name to embeddings [B, d]; they stand in for the queries.
        candidates: Modality name to embeddings [C, d]; they stand in for the candidates when those ask.
        present: Which modalities exist.
    """

    queries: Mapping[str, Tensor]
    candidates: Mapping[str, Tensor] | None = None
    present: Presence = EVERYTHING


@dataclass(frozen=True)
class Normalization:
    """A normalisation with its options; `parse_normalization` reads one.

    Attributes:
        name: Catalog name.
        parameters: All its options.
        bank: The querybank, for qbnorm.
        both_directions: Also rank the queries for every candidate.
    """

    name: str
    parameters: Mapping[str, float] = field(default_factory=dict)
    bank: Bank | None = None
    both_directions: bool = True

    @property
    def row(self) -> NormalizationRow:
        """Its catalog row."""
        return NORMALIZATIONS.row(self.name)

    @property
    def values(self) -> str:
        """All its options as they are used: `tau=100`, `beta=20, k=1`."""
        return ", ".join(f"{key}={value:g}" for key, value in self.parameters.items())

    @property
    def label(self) -> str:
        """Its name, with the options that are not the default: `dsl`, `dsl:tau=20`."""
        changed = [f"{key}={value:g}" for key, value in self.parameters.items() if value != self.row.defaults[key]]
        return f"{self.name}:{','.join(changed)}" if changed else self.name


def parse_normalization(text: str) -> Normalization:
    """Read `name` or `name:option=value,option=value`.

    Args:
        text: For instance `dsl`, `csls:k=5`, `qbnorm:beta=20,k=1`.

    Returns:
        The normalisation with all its options, without a bank.

    Raises:
        UserError: Unknown name or option, an option given twice, or a value that is not a positive number (a whole
            one for k).

    Example:
        >>> parse_normalization("dsl:tau=20").parameters
        {'tau': 20.0}
    """
    name, colon, given = text.partition(":")
    row = NORMALIZATIONS.row(name)
    if colon and not given:
        raise UserError("usage", f"--normalize '{text}' ends in a colon: write options after it, or leave it out.")
    parameters = dict(row.defaults)
    read = set()
    for part in filter(None, given.split(",")):
        key, _, value = (piece.strip() for piece in part.partition("="))
        if key not in parameters:
            hint = did_you_mean(key, list(parameters))
            known = ", ".join(parameters)
            raise UserError("usage", f"--normalize '{text}': {name} has no option '{key}'.{hint} Known: {known}.")
        if key in read:
            raise UserError("usage", f"--normalize '{text}' gives '{key}' twice: leave one out.")
        read.add(key)
        parameters[key] = _read_value(text, key, value, whole=isinstance(row.defaults[key], int))
    return Normalization(name, parameters)


def rank_normalized(
    method: str | AlignmentMethod,
    queries: Mapping[str, Tensor],
    candidates: Mapping[str, Tensor],
    positives: PositivesLike,
    normalize: str | Normalization,
    *,
    present: Presence = EVERYTHING,
    options: RankOptions | None = None,
) -> Ranks:
    """Rank as `gramcli.scoring.ranking.rank` does, by normalised scores.

    In each direction the statistics run over the side that asks: queries forward, candidates backward.

    Args:
        method: Name (options after a colon) or method.
        queries: Modality name to embeddings, each shape [n, d].
        candidates: Modality name to embeddings, each shape [N, d].
        positives: As in `rank`.
        normalize: Text for `parse_normalization`, or what it gave with a bank or one direction only.
        present: Which modalities exist.
        options: As in `rank`; the dtype has no effect. Progress counts every pass as its share of the pairs.

    Returns:
        The ranks; `n_rescored` is n N: every pair is scored by reference keys.

    Raises:
        UserError: As `rank` and `parse_normalization`; qbnorm without a bank, or with one that lacks a side
            or a modality; a score is infinite (a logarithm of volume 0); tau makes weights underflow.

    Example:
        >>> side = {"x": torch.eye(3)}
        >>> rank_normalized("cosine", side, side, None, "csls:k=1").forward
        tensor([1, 1, 1])
    """
    options = options or RankOptions()
    how = parse_normalization(normalize) if isinstance(normalize, str) else normalize
    chosen = as_method(method)
    matrix = _Matrix(chosen, *open_sides(chosen, queries, candidates, present=present, device=options.device), options)
    pairs = read_positives(
        positives, matrix.queries.n, matrix.candidates.n, sides_text(matrix.queries, matrix.candidates)
    )
    sides = {"queries": queries, "candidates": candidates}
    views = [
        _View(forward, _normalizer(how, matrix, sides, present, forward))
        for forward in ((True, False) if how.both_directions else (True,))
    ]
    walks = max(view.normalizer.passes for view in views) + 1
    for step in range(walks - 1):
        for tile in matrix.walk(step, walks):
            for view in views:
                if step < view.normalizer.passes:
                    view.normalizer.observe(step, view.turned(tile))
    keys = pair_keys(chosen, matrix.queries, matrix.candidates, pairs.query, pairs.candidate)
    scores = _oriented(chosen, keys).to(options.device)
    directions = [view.direction(pairs, scores, options.every_positive) for view in views]
    for tile in matrix.walk(walks - 1, walks):
        for view, direction in zip(views, directions, strict=True):
            view.count(direction, tile)
    return _ranks(directions, options.every_positive, matrix)


@dataclass(frozen=True)
class _Matrix:
    """Reference scores, higher is better, that are made a tile at a time."""

    method: AlignmentMethod
    queries: Embeddings
    candidates: Embeddings
    options: RankOptions

    def tiles(self) -> Iterator[Tile]:
        """Tiles of S that cover the matrix once."""
        tile = self.options.tile or (ROW_TILE, COLUMN_TILE)
        tiles = key_tiles(self.method, self.queries, self.candidates, tile=tile)
        for rows, columns, keys in tiles:
            scores = _oriented(self.method, keys)
            if not bool(scores.isfinite().all()):
                i, j = (int(k) for k in (~scores.isfinite()).nonzero()[0])
                raise UserError(
                    "embedding",
                    f"{self.method.name} gives query {rows.start + i} and candidate {columns.start + j} an infinite "
                    "score, which cannot be normalised. Use the volume, not its logarithm.",
                )
            yield rows, columns, scores

    def walk(self, step: int, walks: int) -> Iterator[Tile]:
        """The same as pass `step` of `walks`, reporting progress."""
        pairs = self.queries.n * self.candidates.n
        done = step * pairs
        for rows, columns, scores in self.tiles():
            yield rows, columns, scores
            done += scores.numel()
            if self.options.progress:
                self.options.progress(done // walks, pairs)


@dataclass(frozen=True)
class _View:
    """One direction: who asks, and how its scores are normalised."""

    forward: bool
    normalizer: Normalizer

    def turned(self, tile: Tile) -> Tile:
        """The tile with those that ask down."""
        return tile if self.forward else (tile[1], tile[0], tile[2].T)

    def direction(self, pairs: Positives, scores: Tensor, every_positive: bool) -> Direction:
        """Thresholds of this direction from the positives' S [P], in the order of the pairs."""
        if not self.forward:
            scores = scores[torch.argsort(pairs.candidate, stable=True).to(scores.device)]
            pairs = pairs.reversed()
        keys = self.normalizer.keys(scores, pairs.query.to(scores.device), pairs.candidate.to(scores.device))
        return Direction(pairs, keys.cpu(), every_positive, self.forward)

    def count(self, direction: Direction, tile: Tile) -> None:
        """Count a tile against the thresholds."""
        asking, answering, scores = self.turned(tile)
        down, across = index(asking).to(scores.device), index(answering).to(scores.device)
        keys = self.normalizer.keys(scores, down.unsqueeze(1), across.unsqueeze(0))
        direction.counter.add_reference(index(asking), keys, 1)


def _normalizer(
    how: Normalization, matrix: _Matrix, sides: Mapping[str, Mapping[str, Tensor]], present: Presence, forward: bool
) -> Normalizer:
    """The normalisation of one direction; a querybank is read here."""
    n, n_answering = (matrix.queries.n, matrix.candidates.n)[:: 1 if forward else -1]
    tiles: Callable[[], Iterator[Tile]] | None = None
    n_bank = 0
    if how.row.needs_bank and how.bank is not None:
        banked = _bank_matrix(how.bank, matrix, sides, present, forward)
        if banked is not None:
            n_bank = banked.queries.n if forward else banked.candidates.n
            tiles = banked.tiles if forward else lambda: ((c, r, s.T) for r, c, s in banked.tiles())
    setting = Setting(matrix.method, n, n_answering, matrix.queries.device, tiles, n_bank)
    build: Callable[..., Normalizer] = NORMALIZATIONS.load(how.name)
    return build(setting, **{**how.row.defaults, **how.parameters})


def _bank_matrix(
    bank: Bank, matrix: _Matrix, sides: Mapping[str, Mapping[str, Tensor]], present: Presence, forward: bool
) -> _Matrix | None:
    """The querybank in the place of the side that asks; None where it has no such side."""
    queries, candidates = sides["queries"], sides["candidates"]
    if forward:
        queries = _named(bank.queries, queries)
        present = Presence(bank.present.queries, present.candidates, present.absent_as_zero)
    elif bank.candidates is not None:
        candidates = _named(bank.candidates, candidates)
        present = Presence(present.queries, bank.present.candidates, present.absent_as_zero)
    else:
        return None
    try:
        opened = open_sides(matrix.method, queries, candidates, present=present, device=matrix.options.device)
    except UserError as error:
        raise UserError(error.kind, f"Querybank as the {'queries' if forward else 'candidates'}: {error}") from None
    return _Matrix(matrix.method, *opened, matrix.options)


def _named(bank: Mapping[str, Tensor], like: Mapping[str, Tensor]) -> dict[str, Tensor]:
    for name in like:
        if name not in bank:
            raise UserError("embedding", f"The querybank has no '{name}'. It has: {', '.join(bank)}.")
    return {name: bank[name] for name in like}


def _oriented(method: AlignmentMethod, keys: Tensor) -> Tensor:
    scores = method.score(keys)
    return scores if method.higher_is_better else -scores


def _ranks(directions: list[Direction], every_positive: bool, matrix: _Matrix) -> Ranks:
    forward, backward = directions[0], directions[1] if len(directions) > 1 else None
    asking = matrix.queries if matrix.queries.k > 1 else None
    return counted_ranks(
        forward,
        backward,
        every_positive,
        n_degenerate=sum(n_degenerate(matrix.method, side) for side in (matrix.candidates, asking) if side),
        n_rescored=matrix.queries.n * matrix.candidates.n,
    )


def n_degenerate(method: AlignmentMethod, side: Embeddings) -> int:
    """How many items of a side have linearly dependent vectors, as far as the rows' dtype can tell."""
    return sum(side.n_degenerate(side.side(method, index(part))) for part in parts(side.n, ROW_TILE))


def _read_value(text: str, key: str, value: str, *, whole: bool) -> float:
    try:
        number = int(value) if whole else float(value)
    except ValueError:
        number = 0
    if not (number > 0 and math.isfinite(number)):
        kind = "a whole number from 1 on" if whole else "a positive number"
        raise UserError("usage", f"--normalize '{text}': {key} must be {kind}; got '{value}'.")
    return number
