"""`gram` on checkpoints: inspect, export, embed, eval and re-ranking, on the reference checkpoints and real clips."""

from __future__ import annotations

import pickle

import pytest
import torch

from gramcli.metrics.prompts import TEMPLATES


@pytest.fixture(scope="session")
def checkpoint(reference_data):
    folder = reference_data / "golden" / "tiny_gram_a"
    if not folder.is_dir():
        pytest.skip(f"no reference checkpoint at {folder}")
    return folder


@pytest.fixture(scope="session")
def clips(reference_data):
    return reference_data / "data" / "clips" / "annotations.json"


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def gram(gram, cache, monkeypatch):
    """The same with one cache for all, so that the checkpoint embeds the clips once."""
    monkeypatch.setenv("GRAM_CACHE", str(cache))
    return gram


def test_inspect_says_what_a_checkpoint_is(gram, checkpoint):
    facts = dict(gram.json("inspect", checkpoint)["facts"])
    assert facts["family"] == "gram"
    assert facts["modalities"] == "text, video, audio, subtitle, depth"
    assert facts["step"] == "100"
    assert facts["missing tensors"] == facts["unexpected tensors"] == "none"
    assert facts["parameters of contra_head_t"] == "768"
    assert len(facts["sha256 of model_step_100.pt"]) == 64


def test_export_and_use_the_one_file(gram, checkpoint, clips, tmp_path):
    written = gram.json("export", checkpoint, "-o", "small.safetensors", "--half")
    assert written["bytes_after"] < 0.51 * written["bytes_before"]
    assert dict(gram.json("inspect", "small.safetensors")["facts"])["family"] == "gram"
    vocabulary = checkpoint.parent / "bert-base-uncased" / "vocab.txt"
    found = gram.json("embed", clips, "-o", "emb", "--model", "small.safetensors", "--tokenizer", vocabulary)
    assert {row["modality"]: row["ok"] for row in found["results"]} == {"text": 4, "video": 4, "audio": 4, "va": 4}


def test_eval_a_checkpoint_with_its_matching_head(gram, checkpoint, clips):
    found = gram.json(
        "eval", checkpoint, "--dataset", clips, "--task", "t2va", "--method", "gram", "--rerank", "itm",
        "--rerank-top", "3", "--device", "cpu",
    )  # fmt: skip
    stages = {(row["task"], row["stage"]) for row in found["results"] if row["metric"] == "R@1"}
    assert stages == {(task, stage) for task in ("t2va", "va2t") for stage in ("raw", "rerank(3)")}
    assert {vector["method"] for vector in found["ranks"]} == {"gram", "gram rerank(3)"}
    assert found["provenance"]["rerank"] == {"stage": "rerank(3)", "top": 3, "by": "matching head"}
    assert not [note for note in found["notes"] if "re-ranks all" in note]
    fused = gram.json("eval", checkpoint, "--dataset", clips, "--query", "text", "--candidates", "va")
    assert {row["task"] for row in fused["results"]} == {"text2va", "va2text"}


def test_a_shortlist_of_the_whole_gallery_is_said(gram, checkpoint, clips):
    asked = ("--task", "t2va", "--method", "gram", "--rerank", "itm", "--workers", "0")
    found = gram.json("eval", checkpoint, "--dataset", clips, *asked)
    said = [note for note in found["notes"] if "re-ranks all" in note]
    assert said[0].startswith("t2va: rerank(50) re-ranks all 4 candidates, so every method ends with the same order")
    assert len(said) == 2


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["eval", "CKPT", "--dataset", "CLIPS", "--rerank", "bert"], 2, "--rerank 'bert' is not known; known: itm"),
        (["eval", "signal", "--dataset", "CLIPS", "--rerank", "itm"], 2, "'signal' has no matching head"),
        (["eval", "CKPT", "--dataset", "CLIPS", "--precision", "int8"], 2, "is none of fp32, bf16, fp16"),
        (["eval", "CKPT", "--dataset", "CLIPS", "--checkpoint-step", "7"], 4, "has no step 7; it has 100"),
        (["embed", "CLIPS", "-o", "emb", "--model", "no/such/folder"], 1, "There is no checkpoint at no/such/folder"),
        (["inspect", "CKPT", "--config", "nope.json"], 4, "nope.json does not exist; give the path of a configuration"),
        (["embed", "CLIPS", "-o", "emb", "--model", "CKPT", "--tokenizer", "nope.txt"], 4, "nope.txt does not exist"),
        (["eval", "CKPT", "--dataset", "CLIPS", "--task", "t2d"], 2, "Task t2d needs depth, which"),
        (
            ["eval", "CKPT", "--dataset", "CLIPS", "--task", "t2i"],
            2,
            "Task t2i needs image, which CKPT does not encode",
        ),
        (
            ["export", "CLIPS", "-o", "x.safetensors"],
            2,
            "CLIPS is a manifest, where a store or a checkpoint belongs",
        ),
        (["export", "CKPT", "-o", "x.pt"], 2, "has to end in .safetensors"),
    ],
)
def test_mistakes_are_one_sentence(gram, checkpoint, clips, arguments, code, message):
    names = {"CKPT": checkpoint, "CLIPS": clips}
    result = gram(*(names.get(argument, argument) for argument in arguments))
    for short, name in names.items():
        message = message.replace(short, str(name))
    assert message in result.stderr
    assert result.exit_code == code
    assert result.stdout == ""


class Evil:
    """Leaves a mark when it is unpickled."""

    def __reduce__(self):
        return (open, ("unpickled.txt", "w"))


def test_a_checkpoint_that_runs_code_is_refused_and_does_not_run(gram, tmp_path):
    torch.save({"x": Evil()}, tmp_path / "evil.pt", pickle_module=pickle)
    (tmp_path / "a.mp4").write_bytes(b"x")
    for command in (["inspect", "evil.pt"], ["embed", ".", "-o", "emb", "--model", "evil.pt"]):
        result = gram(*command)
        assert result.exit_code in (1, 4)
        assert len(result.stderr.strip().splitlines()) == 1
    assert "--allow-pickle" in gram("inspect", "evil.pt").stderr
    assert not (tmp_path / "unpickled.txt").exists()


def test_reranking_and_normalising_exclude_each_other(gram, checkpoint, clips):
    arguments = ["--task", "t2va", "--method", "gram", "--rerank", "itm", "--normalize", "dsl"]
    result = gram("eval", checkpoint, "--dataset", clips, *arguments)
    assert result.exit_code == 2
    assert "leave --normalize out" in result.stderr


def test_zero_shot_by_a_checkpoint_s_own_text_tower(gram, checkpoint, clips, tmp_path):
    """Joint and fused scores of real clips against class texts; the cosine ones recomputed from the store."""
    import json

    from gramcli.encoders import load_encoder
    from gramcli.store import open_store

    names = ("a dog", "music", "a person talking", "a car")
    rows = json.loads(clips.read_text())
    told = [row | {"label": name} for row, name in zip(rows, names, strict=True)]
    (tmp_path / "labelled.json").write_text(json.dumps(told))
    asked = (
        "--root",
        clips.parent,
        "--metrics",
        "classification",
        "--templates",
        "video",
        "--task",
        "t2v",
        "--task",
        "t2va",
    )
    methods = ("--method", "cosine", "--method", "gram", "--workers", "0")
    found = gram.json("eval", checkpoint, "--dataset", "labelled.json", *asked, *methods)
    assert {(row["task"], row["method"]) for row in found["results"]} == {
        (task, method) for task in ("v2class", "va2class") for method in ("cosine", "gram")
    }
    store = open_store(found["provenance"]["store"]["path"])
    encoder = load_encoder(str(checkpoint))
    prompts = [[line.replace("{}", name) for line in TEMPLATES["video"]] for name in sorted(names)]
    texts = torch.stack([torch.as_tensor(encoder.encode({"text": one})["text"]).double().mean(0) for one in prompts])
    cosines = torch.nn.functional.normalize(store.embeddings("video").double()) @ torch.nn.functional.normalize(texts).T
    truth = torch.tensor([sorted(names).index(name) for name in store.labels])
    expected = (cosines.argmax(dim=1) == truth).double().mean().item()
    (value,) = [
        r["value"]
        for r in found["results"]
        if (r["task"], r["method"], r["metric"]) == ("v2class", "cosine", "accuracy")
    ]
    assert value == expected


def test_a_wrapped_checkpoint_is_evaluated_as_the_plain_one_and_says_so(gram, checkpoint, clips, tmp_path):
    import shutil

    state = torch.load(checkpoint / "ckpt" / "model_step_100.pt", weights_only=True)
    shutil.copytree(checkpoint / "log", tmp_path / "wrapped" / "log")
    shutil.copy(checkpoint / "arch.json", tmp_path / "wrapped")
    lightning = {"state_dict": {f"model.{key}": tensor for key, tensor in state.items()}, "ema_state_dict": state}
    torch.save(lightning, tmp_path / "wrapped" / "last.ckpt")
    asked = ("--dataset", clips, "--task", "t2va", "--method", "gram", "--workers", "0")
    vocabulary = ("--tokenizer", checkpoint.parent / "bert-base-uncased" / "vocab.txt")
    wrapped, plain = gram.json("eval", "wrapped", *asked, *vocabulary), gram.json("eval", checkpoint, *asked)
    assert wrapped["results"] == plain["results"] and wrapped["ranks"] == plain["ranks"]
    said = [
        "The weights were taken from the entry 'state_dict' of the file, and 'model.' stripped from their names.",
        "EMA weights lie beside under 'ema_state_dict', unused; to use them, save those of 'ema_state_dict' alone.",
    ]
    assert [note for note in wrapped["notes"] if note not in plain["notes"]] == said
    embedded = gram.json("embed", clips, "-o", "emb", "--model", "wrapped", "--workers", "0", *vocabulary)
    assert embedded["notes"][:2] == said
