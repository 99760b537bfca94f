"""Names of splits as people write them, brought to `train`, `val` and `test` where they enter."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Final

from gramcli.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

TRAIN, VALIDATION, TEST = "train", "val", "test"
# Spellings of one word each, whatever else a dataset has.
_WORDS: Final = {
    **dict.fromkeys(("train", "trains", "training", "trainings", "trn"), TRAIN),
    **dict.fromkeys(("val", "vals", "valid", "validate", "validating", "validation", "validations"), VALIDATION),
    **dict.fromkeys(("test", "tests", "testing", "testings", "tst"), TEST),
}
# Words that name the same as another in some datasets, and something of their own beside it in others.
_HINTS: Final = {
    **dict.fromkeys(("dev", "devel", "development"), ("dev", VALIDATION)),
    **dict.fromkeys(("eval", "evals", "evaluate", "evaluating", "evaluation"), ("eval", TEST)),
    **dict.fromkeys(("holdout", "heldout"), ("holdout", TEST)),
}
_PARTS: Final = re.compile(r"(?<=.)(?:data)?(?:sets?|splits?|folds?|folders?|parts?|partitions?|subsets?|data)$")
_NUMBERED: Final = re.compile(r"([a-z]+?)(\d+k?[a-z]?)")


def is_split(name: str) -> bool:
    """Whether a name plainly means a split.

    Example:
        >>> [name for name in ("Testing", "val_2", "test set", "dev", "dog", "contest") if is_split(name)]
        ['Testing', 'val_2', 'test set', 'dev']
    """
    return _meaning(name)[1] is not None


def normal_splits(names: Iterable[str]) -> dict[str, str]:
    """Bring the names of a dataset's splits to `train`, `val` and `test` where that is what they mean.

    `Testing` is `test`. `val2`, `dev` and `eval` are `val` and `test` where no other split is that; names that mean
    neither stay as they are, in the first of their spellings by case.

    Args:
        names: As they are written.

    Returns:
        Written name to the name it goes by.

    Example:
        >>> normal_splits(["Training", "val2", "Test"])
        {'Training': 'train', 'val2': 'val', 'Test': 'test'}
        >>> normal_splits(["train", "val1", "val2"])
        {'train': 'train', 'val1': 'val1', 'val2': 'val2'}
    """
    written = list(dict.fromkeys(names))
    meant = {name: _meaning(name) for name in written}
    taken = {target for word, target in meant.values() if word == target}
    wanting: dict[str, set[str]] = defaultdict(set)
    for word, target in meant.values():
        if target is not None and word != target:
            wanting[_taught(word, target, taken)].add(word)
    first: dict[str, str] = {}
    found = {}
    for name in written:
        word, target = meant[name]
        if target is not None and word != target:
            target = _taught(word, target, taken)
            target = None if target in taken or len(wanting[target]) > 1 else target
        found[name] = target or first.setdefault(word, name.strip())
    return found


def split_notes(names: Mapping[str, str]) -> list[str]:
    """Say which names of splits were changed, in one sentence or none."""
    changed = [f"'{written}' as '{normal}'" for written, normal in names.items() if written != normal]
    return [f"Names of splits were read as what they mean: {', '.join(changed)}."] if changed else []


def meant_split(named: str, known: Iterable[str]) -> str | None:
    """Find the split that a name asks for.

    Args:
        named: As typed.
        known: Names of the splits there are.

    Returns:
        One of `known`: that name, or the only one that means the same; None where there is none.

    Example:
        >>> meant_split("Validation", ["train", "val"]), meant_split("val2", ["train", "val1"])
        ('val', None)
    """
    known = list(dict.fromkeys(known))
    if named in known:
        return named
    word, target = _meaning(named)
    alike = [name for name in known if _meaning(name)[0] == word]
    if not alike and target in known and not _NUMBERED.fullmatch(word):
        return target
    return alike[0] if len(alike) == 1 else None


def default_split(splits: Sequence[str | None], where: str) -> str | None:
    """Choose the split that is evaluated where none is named.

    Args:
        splits: The split of every item.
        where: What holds them, for the message.

    Returns:
        `test` where there is such a split beside others; None, for all items, where there is but one split or none.

    Raises:
        UserError: Several splits, none of which is a test split.
    """
    counts = Counter(splits)
    if len(counts) < 2:
        return None
    test = meant_split(TEST, (name for name in counts if name))
    if test is None:
        listed = ", ".join(f"{name or 'no split'} {number:,}" for name, number in counts.items())
        raise UserError(
            "usage",
            f"{where} has several splits and none is called '{TEST}' (items: {listed}). Name one with --split, or take "
            "every item with --split all.",
        )
    return test


def _taught(word: str, target: str, taken: set[str]) -> str:
    """`dev` is what a model is trained on where there are validation data beside it and nothing else to train on."""
    return TRAIN if word == "dev" and VALIDATION in taken and TRAIN not in taken else target


def _meaning(name: str) -> tuple[str, str | None]:
    """Return the word that a name is a spelling of, and the split it means or may mean, if any."""
    folded = unicodedata.normalize("NFC", name).casefold().strip()
    bare = re.sub(r"[\W_]+", "", folded)
    for word in dict.fromkeys((bare, _PARTS.sub("", bare))):
        if word in _WORDS:
            return _WORDS[word], _WORDS[word]
        if word in _HINTS:
            return _HINTS[word]
        if (found := _NUMBERED.fullmatch(word)) and found[1] in _WORDS:
            return f"{_WORDS[found[1]]}{found[2]}", _WORDS[found[1]]
    return folded, None
