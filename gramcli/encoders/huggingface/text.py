"""Texts to tokens, by the rule of each family: how long, how padded, with a mask or without, in which spelling."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import torch

from gramcli.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from gramcli.encoders.huggingface.source import Source

Spelling = Literal["as it is", "lower case", "lower case, no punctuation, a full stop"]
_PUNCTUATION: Final = str.maketrans("", "", string.punctuation)
_SPACE: Final = re.compile(r"\s+")
_NO_LIMIT: Final = 10**6
_UNKNOWN_LENGTH: Final = 77


@dataclass(frozen=True)
class TextRule:
    """How a family reads texts.

    Attributes:
        length: Tokens at most; the rest is cut off.
        words: Size of the model's vocabulary; 0 where it is not known.
        whole: Whether every text is padded to that length, as in training, also when it is alone.
        mask: Whether the padding is masked.
        spelling: What is done to the characters first.
    """

    length: int
    words: int = 0
    whole: bool = False
    mask: bool = True
    spelling: Spelling = "as it is"

    def tokens(self, source: Source, texts: Sequence[str], device: torch.device) -> dict[str, Tensor]:
        """Tokens of a batch.

        Args:
            source: Has the tokenizer.
            texts: B texts.
            device: Where the model is.

        Returns:
            `input_ids`, and with a mask `attention_mask`, int64 [B, L].

        Raises:
            UserError: There is no tokenizer, it cannot pad, or its words are not those of the model.
        """
        tokenizer = source.tokenizer()
        padding: Any = "max_length" if self.whole else len(texts) > 1
        try:
            found = tokenizer(
                [spelled(text, self.spelling) for text in texts],
                padding=padding,
                truncation=True,
                max_length=self.length,
                padding_side="right",  # positions count from the left; without a mask the last token is the vector
                return_tensors="pt",
                return_attention_mask=True,
                return_token_type_ids=False,
            )
        except Exception as error:  # of tokenizers that cannot pad, or of odd settings: its library raises no other
            first = " ".join(str(error).split())[:200]
            raise UserError("checkpoint", f"The tokenizer of {source.folder} does not work ({first}).") from error
        ids = found["input_ids"].long()
        self._check(ids, source)
        kept = {"input_ids": ids, **({"attention_mask": found["attention_mask"]} if self.mask else {})}
        return {name: rows.to(device) for name, rows in kept.items()}

    def _check(self, ids: Tensor, source: Source) -> None:
        if not ids.shape[-1]:
            raise UserError("embedding", f"The tokenizer of {source.folder} makes no token of this text; leave it out.")
        largest = int(ids.max())
        if self.words and largest >= self.words:
            raise UserError(
                "checkpoint",
                f"The tokenizer of {source.folder} has more words than the model: token {largest} of {self.words}. "
                "They are not of the same model.",
            )


def spelled(text: str, spelling: Spelling) -> str:
    """Spell a text as a family was trained.

    Example:
        >>> spelled("A Dog, barking!", "lower case, no punctuation, a full stop")
        'a dog barking.'
    """
    if spelling == "as it is":
        return text
    if spelling == "lower case":
        return text.lower()
    return f"{_SPACE.sub(' ', text.lower().translate(_PUNCTUATION)).strip()}."


_FROM_PADDING: Final = frozenset({"altclip_text_model", "clap_text_model", "roberta", "xlm-roberta", "camembert"})


def longest(source: Source, tower: Any) -> int:  # noqa: ANN401 - a configuration of transformers
    """How many tokens a text tower takes: its positions, and no more than its tokenizer was set to.

    Args:
        source: Of the model.
        tower: The text_config of the loaded model.
    """
    positions = getattr(tower, "max_position_embeddings", None)
    length = positions if isinstance(positions, int) and positions > 0 else _UNKNOWN_LENGTH
    # Towers made of RoBERTa count positions from behind the padding token.
    if getattr(tower, "model_type", "") in _FROM_PADDING:
        length -= (getattr(tower, "pad_token_id", None) or 1) + 1
    limit = (
        source.json("tokenizer_config.json").get("model_max_length") if source.has("tokenizer_config.json") else None
    )
    if isinstance(limit, int | float) and 0 < limit < _NO_LIMIT:
        length = min(length, int(limit))
    return max(1, length)
