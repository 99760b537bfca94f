"""Token ids against those of the reference tokenizer, and where its files are looked for."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from gramcli.encoders.vast.tokenizer import TextTokenizer, load_tokenizer
from gramcli.errors import UserError

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "dog", "run", "##s", "cafe", "!"]


@pytest.fixture
def vocabulary(tmp_path: Path) -> Path:
    (tmp_path / "words").mkdir()
    path = tmp_path / "words" / "vocab.txt"
    path.write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.parametrize("name", ["tiny_gram_a", "tiny_pmrl"])
@pytest.mark.parametrize(("kind", "length"), [("caption", 40), ("subtitle", 70)])
def test_ids_match_the_reference(reference_data: Path, name: str, kind: str, length: int) -> None:
    golden = reference_data / "golden"
    wanted = load_file(golden / name / "golden.safetensors")
    texts = json.loads((golden / name / "golden.json").read_text())
    tokenizer = load_tokenizer(golden / "bert-base-uncased", vocabulary=30522)
    tokens = tokenizer.encode(texts[f"{kind}s"], length)
    assert tokens.ids.dtype == tokens.mask.dtype == np.int64
    assert np.array_equal(tokens.ids, wanted[f"{kind}_input_ids"])
    assert np.array_equal(tokens.mask, wanted[f"{kind}_attention_mask"])
    assert tokenizer.size == 30522
    assert tokenizer.sha256 == texts["vocab_sha256"]


def test_a_tokenizer_json_gives_the_same(reference_data: Path, tmp_path: Path) -> None:
    vocabulary = TextTokenizer(reference_data / "golden" / "bert-base-uncased" / "vocab.txt")
    path = tmp_path / "tokenizer.json"
    vocabulary._tokenizer.save(str(path))
    texts = ["Émile's café -- 100% 東京 [SEP] \t\x00 x" + "y" * 101, ""]
    assert np.array_equal(TextTokenizer(path).encode(texts, 30).ids, vocabulary.encode(texts, 30).ids)


def test_worked_out_by_hand(vocabulary: Path) -> None:
    tokens = TextTokenizer(vocabulary).encode(["A  CAFÉ dogs run!", "", "dog dog dog dog dog dog dog dog"], 8)
    assert tokens.ids.tolist() == [
        [2, 5, 9, 6, 8, 7, 10, 3],
        [2, 3, 0, 0, 0, 0, 0, 0],
        [2, 6, 6, 6, 6, 6, 6, 3],
    ]
    assert tokens.mask.sum(axis=1).tolist() == [8, 2, 8]
    assert TextTokenizer(vocabulary).encode([], 8).ids.shape == (0, 8)


def test_line_ends_of_other_systems(vocabulary: Path) -> None:
    vocabulary.write_bytes("\r\n".join(WORDS).encode())
    assert TextTokenizer(vocabulary).encode(["dog"], 3).ids.tolist() == [[2, 6, 3]]


def test_no_room_for_a_text(vocabulary: Path) -> None:
    with pytest.raises(UserError, match="got a length of 1"):
        TextTokenizer(vocabulary).encode(["dog"], 1)


@pytest.mark.parametrize(
    "place", ["vocab.txt", "bert-base-uncased/vocab.txt", "pretrained_weights/bert/bert-base-uncased/vocab.txt"]
)
def test_found_beside_the_checkpoint(tmp_path: Path, vocabulary: Path, place: str) -> None:
    folder = tmp_path / "run"
    (folder / place).parent.mkdir(parents=True)
    shutil.copy(vocabulary, folder / place)
    assert load_tokenizer(None, [tmp_path / "none", folder]).path == folder / place
    assert load_tokenizer(vocabulary, [folder]).path == vocabulary
    assert load_tokenizer(vocabulary.parent).path == vocabulary


@pytest.mark.parametrize(
    ("variable", "inner"), [("HF_HUB_CACHE", ""), ("HF_HOME", "hub"), ("XDG_CACHE_HOME", "huggingface/hub")]
)
def test_found_in_the_cache(
    tmp_path: Path, vocabulary: Path, monkeypatch: pytest.MonkeyPatch, variable: str, inner: str
) -> None:
    monkeypatch.setenv(variable, str(tmp_path / "hf"))
    model = tmp_path / "hf" / inner / "models--bert-base-uncased"
    for revision in ("aaa", "bbb"):
        (model / "snapshots" / revision).mkdir(parents=True)
        shutil.copy(vocabulary, model / "snapshots" / revision / "vocab.txt")
    assert load_tokenizer(None).path == model / "snapshots" / "aaa" / "vocab.txt"
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text("bbb\n")
    assert load_tokenizer(None).path == model / "snapshots" / "bbb" / "vocab.txt"


def test_found_nowhere(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"--tokenizer .*Looked for .*run/vocab.txt.*models--bert-base-uncased"
    ) as caught:
        load_tokenizer(None, [tmp_path / "run"])
    assert caught.value.exit_code == 4


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("vocab.txt", b"", r"lacks \[PAD\]"),
        ("vocab.txt", b"\xff\xfe", "codec"),
        ("vocab.txt", "\n".join(WORDS[:3]).encode(), r"lacks \[SEP\], \[MASK\]"),
        (
            "vocab.txt",
            "\n".join([*WORDS, *WORDS]).encode(),
            "of its 11 tokens one has the number 21",
        ),
        ("tokenizer.json", b"{}", "no tokenizer of bert-base-uncased"),
        ("tokenizer.json", b"words", "no tokenizer of bert-base-uncased"),
    ],
)
def test_files_refused(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=reason):
        TextTokenizer(tmp_path / name)


def test_a_vocabulary_larger_than_the_model(vocabulary: Path) -> None:
    assert load_tokenizer(vocabulary, vocabulary=11).size == 11
    with pytest.raises(UserError, match="holds 11 tokens, but the model knows 10"):
        load_tokenizer(vocabulary, vocabulary=10)


def test_a_tokenizer_that_keeps_capitals(tmp_path: Path, vocabulary: Path) -> None:
    tokenizer: Any = TextTokenizer(vocabulary)._tokenizer
    document = json.loads(tokenizer.to_str())
    document["normalizer"]["lowercase"] = False
    (tmp_path / "tokenizer.json").write_text(json.dumps(document))
    with pytest.raises(UserError, match="does not lower-case"):
        TextTokenizer(tmp_path / "tokenizer.json")
