"""One store of all splits of a protocol: figures are those of the test split, and heads learn from train."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from gramcli.alignment.align import align
from gramcli.embedding.embed import embed
from gramcli.errors import UserError
from gramcli.evaluation.compare import compare
from gramcli.evaluation.evaluate import evaluate
from gramcli.evaluation.target import chosen_dataset
from gramcli.heads.files import load_heads
from gramcli.store import open_store
from tests.media_factory import write_video

TRAIN, TEST = 12, 8
WORDS = ("red", "green", "blue", "low", "high", "fast", "slow", "round")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MSR-VTT root in CLIP4Clip's layout: 8 test clips, of which one has no sound, 12 train clips, and a 7k list."""
    root = tmp_path_factory.mktemp("protocol_splits") / "MSRVTT"
    (root / "videos/all").mkdir(parents=True)
    videos, sentences, rows = [], [], ["key,vid_key,video_id,sentence"]
    for k in range(TRAIN + TEST):
        one = f"video{k if k < TRAIN else 7010 + k}"
        tone = None if k == TRAIN else 200.0 + 90 * k
        write_video(root / f"videos/all/{one}.mp4", 4, (32, 24), 8, tone, (12 * k, 250 - 12 * k, 37 * k % 256), k)
        words = f"{WORDS[k % 8]} {WORDS[k // 3]} {WORDS[k // 5]}"
        split = "test" if k >= TRAIN else "validate" if k >= TRAIN - 3 else "train"
        videos.append({"video_id": one, "url": f"https://y/{k % 19}", "split": split})  # the last is cut as the first
        sentences += [{"video_id": one, "caption": f"{text} {words}"} for text in ("a", "another")]
        rows += [f"ret{k},msr{k},{one},a {words}"] if k >= TRAIN else []
    (root / "MSRVTT_data.json").write_text(json.dumps({"videos": videos, "sentences": sentences}))
    (root / "MSRVTT_JSFUSION_test.csv").write_text("\n".join(rows))
    (root / "MSRVTT_train.9k.csv").write_text("\n".join(["video_id", *(f"video{k}" for k in range(TRAIN))]))
    return root


@pytest.fixture(scope="module")
def stores(root: Path) -> dict[str, Path]:
    """Stores of the test split, of all splits, and of train alone."""
    made = {}
    for split in (None, "all", "train"):
        made[str(split)] = root.parent / f"store_{split}"
        embed("msrvtt", made[str(split)], root=root, split=split, workers=0)
    return made


SHARED = "1 item of test is cut from a video of which train has a part too, for instance 'video7029' and 'video0'."


def _figures(target: Path, **options):
    return evaluate(target, methods=["cosine", "gram"], reference=True, **options)


def test_figures_of_a_store_of_all_splits_are_those_of_the_test_split(stores):
    alone, among = _figures(stores["None"]), _figures(stores["all"])
    assert among.results == alone.results
    assert among.ranks == alone.ranks
    assert among.questions == alone.questions
    assert len({one.gallery for one in among.questions}) > 1
    assert among.left_out == alone.left_out
    for name in ("protocol", "n", "protocol_n"):
        assert among.provenance[name] == alone.provenance[name]
    assert (among.provenance["protocol"], among.provenance["n"]) == ("msrvtt-1k@1", TEST)
    assert [asdict(one) for one in among.reference] == [asdict(one) for one in alone.reference]
    assert any(one.measured is not None for one in among.reference)
    assert set(among.notes) - set(alone.notes) == {"Evaluated split 'test'; --split all evaluates every item."}


def test_evaluations_of_both_stores_are_compared_without_a_word(stores):
    found = compare(*(evaluate(stores[name], methods=["cosine"], tasks=["t2v"]) for name in ("None", "all")))
    assert {row.delta for row in found.rows} == {0.0}
    assert not any("differ" in note for note in found.notes)


def test_the_named_test_split_is_the_store_of_ever(stores, root, tmp_path):
    embed("msrvtt", tmp_path / "s", root=root, split="test", workers=0)
    assert open_store(tmp_path / "s").fingerprint() == open_store(stores["None"]).fingerprint()
    again = embed("msrvtt", stores["all"], root=root, split="all", workers=0)
    assert (again.shards_written, again.items) == (0, TRAIN + TEST)
    assert SHARED in again.notes
    assert open_store(stores["all"]).splits.count("train") == TRAIN


@pytest.mark.parametrize("split", ["train", "all"])
def test_other_items_are_no_figures_of_the_protocol(stores, split):
    found = _figures(stores["all"], split=split, tasks=["t2va"])
    n = TRAIN + (TEST if split == "all" else 0)
    named = "train" if split == "train" else "test and train"
    assert (found.provenance["protocol"], found.provenance["n"]) == (f"msrvtt-1k@1, split {named}", n)
    assert any(f"{TRAIN} items evaluated are of train, which msrvtt-1k@1 does not eval" in one for one in found.notes)
    assert not any(one.measured for one in found.reference)
    by_itself = _figures(stores["train"], tasks=["t2va"])
    if split == "train":
        assert by_itself.results == found.results
        assert by_itself.provenance["protocol"] == "msrvtt-1k@1, split train"
    whole = evaluate(stores["None"], methods=["cosine"], tasks=["t2v"])
    other = evaluate(stores["all"], methods=["cosine"], tasks=["t2v"], split=split)
    with pytest.raises(UserError, match=r"they differ in protocol \('?msrvtt-1k@1'? against '?msrvtt-1k@1, split"):
        compare(whole, other)


def test_heads_learn_from_train_and_are_tested_on_the_test_split(root, stores, tmp_path):
    made = align(stores["all"], tmp_path / "heads", loss="cosine", epochs=3, batch_size=4, dim=16)
    assert SHARED in made.notes
    saved = load_heads(tmp_path / "heads").config
    seen = [*saved["trained"], *saved["selected"]]
    assert sorted(seen) == sorted(f"video{k}" for k in range(TRAIN))
    heads = f"heads:{tmp_path / 'heads'}"
    found = [evaluate(stores[name], model=heads, tasks=["t2v"], methods=["cosine"]) for name in ("all", "None")]
    assert found[0].results == found[1].results
    assert (found[0].provenance["n"], found[0].provenance["protocol"]) == (TEST, "msrvtt-1k@1")
    assert not any("trained the heads" in note for note in found[0].notes)
    for store, split in ((stores["all"], "train"), (stores["all"], "all"), (stores["train"], None)):
        with pytest.raises(UserError, match=r"items, for instance 'video\d+', trained this store's heads"):
            evaluate(store, model=heads, split=split, tasks=["t2v"])
    out = tmp_path / "through"
    embed("msrvtt", out, model=heads, from_store=stores["all"], root=root, split="all")
    assert open_store(out).splits == open_store(stores["all"]).splits
    assert evaluate(out, tasks=["t2v"], methods=["cosine"]).results == found[0].results


def test_clips_without_sound_are_facts_of_the_test_split(root, tmp_path):
    for split in (None, "all"):
        embed("msrvtt", tmp_path / str(split), root=root, protocol="msrvtt-1k-av", split=split, workers=0)
    alone, among = (open_store(tmp_path / name).manifest["dataset"] for name in ("None", "all"))
    assert {key: among[key] for key in alone} == alone
    assert (among["n"], among["protocol_n"], [one["id"] for one in among["left_out"]]) == (7, 7, ["video7022"])
    assert among["beside"]["train"]["n"] == TRAIN
    assert evaluate(tmp_path / "all", tasks=["t2v"]).left_out == evaluate(tmp_path / "None", tasks=["t2v"]).left_out
    assert not evaluate(tmp_path / "all", tasks=["t2v"], split="train").left_out


def test_seven_thousand_are_trained_on_for_figures_of_the_same_protocol(root, tmp_path, monkeypatch):
    monkeypatch.setenv("GRAM_CACHE", str(tmp_path / "cache"))
    how = {"root": root, "protocol": "msrvtt-1k-7k", "workers": 0}
    embed("msrvtt", tmp_path / "s", split="all", **how)
    store = open_store(tmp_path / "s")
    assert store.manifest["dataset"]["protocol"] == "msrvtt-1k@1"
    for target, options in ((tmp_path / "s", {"protocol": "msrvtt-1k-7k"}), ("signal", {"dataset": "msrvtt", **how})):
        found = evaluate(target, tasks=["t2v"], methods=["cosine"], **options)
        assert (found.provenance["protocol"], found.provenance["n"]) == ("msrvtt-1k@1", TEST)
    with pytest.raises(UserError, match="holds the items of msrvtt-1k@1, not of msrvtt-full"):
        evaluate(tmp_path / "s", tasks=["t2v"], protocol="msrvtt-full")


def test_a_modality_of_train_alone_does_not_change_the_figures(root, stores, tmp_path):
    """GRAM's train annotations have subtitles where a test annotation of another kind has none."""
    other = tmp_path / "MSRVTT"
    other.mkdir()
    (other / "videos").symlink_to(root / "videos")
    (other / "MSRVTT_JSFUSION_test.csv").write_text((root / "MSRVTT_JSFUSION_test.csv").read_text())
    rows = [{"video_id": f"video{k}", "desc": WORDS[k % 8], "subtitle": f"said {k}"} for k in range(TRAIN)]
    (other / "descs_ret_train.json").write_text(json.dumps(rows))
    embed("msrvtt", tmp_path / "s", root=other, split="all", workers=0)
    assert "subtitle" in open_store(tmp_path / "s").modalities
    assert evaluate(tmp_path / "s", methods=["cosine", "gram"]).results == _figures(stores["None"]).results


def test_a_classifier_learns_from_train_beside_a_named_split(tmp_path):
    table = "---g-f_I2yQ,1,dog,test\n--0PQM4-hqg,30,cat,train\n"
    (tmp_path / "vggsound.csv").write_text(table)
    for one in ("---g-f_I2yQ_000001", "--0PQM4-hqg_000030"):
        (tmp_path / f"{one}.mp4").write_bytes(b"x")
    found = chosen_dataset("vggsound", tmp_path, "train", None, "vggsound-test", with_train=True)
    assert [item.split for item in found.items] == ["train"]
    tested = chosen_dataset("vggsound", tmp_path, None, None, "vggsound-test", with_train=True)
    assert [item.split for item in tested.items] == ["test"]
