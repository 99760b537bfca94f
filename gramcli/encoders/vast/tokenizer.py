"""BERT's uncased WordPiece tokenizer, read from files at hand; nothing is ever downloaded."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import BertProcessing

from gramcli.errors import UserError, refuse_pointer
from gramcli.files.reading import read_regular

# In the order BERT's vocabulary has them.
_LONGEST_LINE: Final = 1024
_SPECIAL: Final = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_FILES: Final = ("vocab.txt", "tokenizer.json")
_NAMED: Final = ("bert-base-uncased", "pretrained_weights/bert/bert-base-uncased")
_PUBLISHED_SHA256: Final = "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"  # of its vocab.txt
_HUB_FOLDERS: Final = ("models--bert-base-uncased", "models--google-bert--bert-base-uncased")


@dataclass(frozen=True)
class Tokens:
    """Texts as a model reads them.

    Attributes:
        ids: int64 [n, length].
        mask: 1 where there is a token, 0 where there is padding; int64 [n, length].
    """

    ids: NDArray[np.int64]
    mask: NDArray[np.int64]


class TextTokenizer:
    """Turns captions and subtitles into token ids.

    Args:
        path: A `vocab.txt` with one token a line, or a `tokenizer.json` that lower-cases.

    Raises:
        UserError: The file cannot be read, lacks BERT's special tokens, or has token ids beyond its size.

    Attributes:
        path: Where it was read.
        sha256: Of the file.
        size: Tokens in the vocabulary.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        refuse_pointer(path, "checkpoint")
        try:
            content = read_regular(path)
            text = content.decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise _unreadable(path, str(error)) from error
        self._tokenizer = _from_json(path, text) if path.suffix == ".json" else _from_vocabulary(path, text)
        self._special = {token: self._tokenizer.token_to_id(token) for token in _SPECIAL}
        if lacking := [token for token, number in self._special.items() if number is None]:
            raise _unreadable(path, f"it lacks {', '.join(lacking)}")
        self.sha256 = hashlib.sha256(content).hexdigest()
        self.size: int = self._tokenizer.get_vocab_size()
        if (largest := max(self._tokenizer.get_vocab().values())) >= self.size:
            raise _unreadable(path, f"of its {self.size} tokens one has the number {largest}: some are there twice")

    @property
    def doubts(self) -> tuple[str, ...]:
        """A sentence where the vocabulary is not the published one these models were trained with."""
        if self.path.suffix == ".json" or self.sha256 == _PUBLISHED_SHA256:
            return ()
        return (f"The vocabulary {self.path.name} is not that of bert-base-uncased: token ids may mean other words.",)

    def encode(self, texts: Sequence[str], length: int) -> Tokens:
        """Tokenize texts, cut or padded to one length.

        Args:
            texts: n texts; an empty one becomes [CLS] [SEP].
            length: Tokens of a text, [CLS] and [SEP] included; a longer text loses its end but keeps [SEP].

        Returns:
            The ids and the mask, [n, length] each.

        Raises:
            UserError: The length leaves no room for [CLS] and [SEP].
        """
        if length < 2:
            raise UserError(
                "usage", f"Texts need room for [CLS] and [SEP]; got a length of {length}. Ask for 2 or more."
            )
        self._tokenizer.enable_truncation(length)
        self._tokenizer.enable_padding(length=length, pad_id=self._special["[PAD]"], pad_token="[PAD]")  # noqa: S106
        encoded = self._tokenizer.encode_batch(list(texts))
        ids = np.array([item.ids for item in encoded], np.int64).reshape(-1, length)
        mask = np.array([item.attention_mask for item in encoded], np.int64).reshape(-1, length)
        return Tokens(ids, mask)


def load_tokenizer(
    given: Path | None,
    folders: Iterable[Path] = (),
    around: Iterable[Path] = (),
    vocabulary: int | None = None,
) -> TextTokenizer:
    """Find and read the tokenizer of a checkpoint.

    Args:
        given: A file, or a folder that holds one, named by the user; None looks beside the checkpoint and then in the
            Hugging Face cache.
        folders: Folders of the checkpoint.
        around: Folders that may keep tokenizers for several, in folders named after them.
        vocabulary: Rows of the model's word table, which no token may lie beyond.

    Raises:
        UserError: There is no tokenizer in any of these places, or it does not fit the model.
    """
    if given is not None and not given.exists():
        raise UserError(
            "checkpoint", f"{given} does not exist; pass --tokenizer with the vocab.txt of bert-base-uncased."
        )
    places = (
        _given_places(given)
        if given is not None
        else [*_beside(folders), *_beside(around, _NAMED), *_cached(os.environ)]
    )
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        looked = ", ".join(dict.fromkeys(str(place) for place in places)) or "no place at all"
        raise UserError(
            "checkpoint",
            f"No tokenizer found: pass --tokenizer with the vocab.txt of bert-base-uncased. Looked for {looked}.",
        )
    tokenizer = TextTokenizer(path)
    if vocabulary is not None and tokenizer.size != vocabulary:
        raise UserError(
            "checkpoint",
            f"{path} holds {tokenizer.size} tokens, but the model knows {vocabulary}; pass --tokenizer with its own.",
        )
    return tokenizer


def _given_places(given: Path) -> list[Path]:
    return [given / name for name in _FILES] if given.is_dir() else [given]


def _beside(folders: Iterable[Path], inside: Sequence[str] = ("", *_NAMED)) -> list[Path]:
    return [folder / inner / name for folder in folders for inner in inside for name in _FILES]


def _cached(environment: Mapping[str, str]) -> list[Path]:
    """List where Hugging Face's cache would keep the tokenizer, the current revision first."""
    hub = environment.get("HF_HUB_CACHE") or environment.get("HUGGINGFACE_HUB_CACHE")
    home, caches = environment.get("HF_HOME"), environment.get("XDG_CACHE_HOME")
    try:
        kept = Path(home) if home else (Path(caches) if caches else Path.home() / ".cache") / "huggingface"
    except RuntimeError:  # nobody's home, as in a container of a user without an entry
        return []
    root = Path(hub) if hub else kept / "hub"
    places = []
    for model in (root / name for name in _HUB_FOLDERS):
        current = model / "refs" / "main"
        revisions = [model / "snapshots" / _line_of(current)] if current.is_file() else []
        revisions += sorted((model / "snapshots").glob("*")) or [model / "snapshots" / "*"]
        places += [revision / name for revision in revisions for name in _FILES]
    return places


def _line_of(path: Path) -> str:
    """The line that a small file holds; a name that nothing has where it cannot be read."""
    try:
        return read_regular(path, _LONGEST_LINE).decode().strip()
    except (OSError, UnicodeDecodeError):
        return "*"


def _from_vocabulary(path: Path, text: str) -> Tokenizer:
    tokens = text.split("\n")
    vocabulary = {token.rstrip("\r"): number for number, token in enumerate(tokens[:-1] if not tokens[-1] else tokens)}
    if lacking := [token for token in _SPECIAL if token not in vocabulary]:
        raise _unreadable(path, f"it lacks {', '.join(lacking)}")
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))  # noqa: S106
    tokenizer.normalizer = BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.post_processor = BertProcessing(("[SEP]", vocabulary["[SEP]"]), ("[CLS]", vocabulary["[CLS]"]))
    # A text that spells a special token means it, as in the reference tokenizer.
    tokenizer.add_special_tokens(list(_SPECIAL))
    return tokenizer


def _from_json(path: Path, text: str) -> Tokenizer:
    try:
        tokenizer = Tokenizer.from_str(text)
    except Exception as error:  # the library raises no narrower kind
        raise _unreadable(path, str(error).splitlines()[0]) from error
    if tokenizer.normalizer is None or tokenizer.normalizer.normalize_str("CAFÉ") != "cafe":
        raise _unreadable(path, "it does not lower-case and strip accents")
    return tokenizer


def _unreadable(path: Path, reason: str) -> UserError:
    return UserError(
        "checkpoint", f"{path} is no tokenizer of bert-base-uncased ({reason}); pass --tokenizer with its vocab.txt."
    )
