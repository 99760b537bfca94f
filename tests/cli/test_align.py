"""`gram align` and what its heads are used for, from the command line."""

from __future__ import annotations

import pytest

from tests.alignment.views import make_views

QUICK = ("--dim", "8", "--epochs", "4", "--batch-size", "30", "--lr", "0.01")


@pytest.fixture
def views(tmp_path):
    make_views(tmp_path / "views")
    return "views"


def test_heads_from_training_to_figures(gram, tmp_path, views):
    found = gram.json("align", views, "-o", "heads", "--loss", "gram", *QUICK)
    assert found["modalities"] == ["text", "video", "audio"]
    assert (found["n_train"], found["n_validation"]) == (60, 20)
    stages = [(row["stage"], row["epoch"]) for row in found["results"]]
    assert stages == [(stage, epoch) for stage in ("warm-up", "main") for epoch in (1, 2, 3, 4)]
    assert found["warm_up_best"] in {1, 2, 3, 4}
    plain = gram.json("align", views, "-o", "plain", "--loss", "gram", "--warm-up", "0", *QUICK)
    assert [row["stage"] for row in plain["results"]] == ["main"] * 4
    assert plain["warm_up_best"] is None
    assert {file.name for file in (tmp_path / "heads").iterdir()} == {
        "heads.safetensors",
        "heads.json",
        "curves.csv",
        "curves.svg",
    }
    assert "<title>Loss and validation figures" in (tmp_path / "heads" / "curves.svg").read_text()
    asked = ("--task", "t2va", "--method", "gram")
    seen = gram.json("eval", views, "--model", "heads:heads", *asked)
    assert {row["n"] for row in seen["results"]} == {40}
    assert seen["provenance"]["model"]["heads"]["loss"] == "gram"
    refused = gram("eval", views, "--model", "heads:heads", "--split", "train", *asked)
    assert refused.exit_code == 2
    assert "trained this store's heads" in refused.stderr
    allowed = gram("eval", views, "--model", "heads:heads", "--split", "train", "--allow-trained", *asked)
    assert allowed.exit_code == 0
    assert "60 of 60 items trained the heads" in allowed.stdout
    described = gram("inspect", "heads")
    assert "60 items of split 'train'" in described.stdout
    assert "by the cosine loss" in described.stdout
    few = "The heads' epoch was chosen on 20 validation items"
    for stdout in (described.stdout, gram("align", views, "-o", "heads", "--loss", "gram", *QUICK).stdout):
        assert few in stdout
    assert any(note.startswith(few) for note in seen["notes"])
    again = gram("align", views, "-o", "heads", "--loss", "gram", *QUICK)
    assert "nothing was trained" in again.stdout


def test_a_table_names_the_best_epoch_and_csv_has_all(gram, views):
    table = gram("align", views, "-o", "a", "--loss", "cosine", *QUICK)
    assert table.exit_code == 0, table.output
    assert "(best)" in table.stdout
    assert "was kept" in table.stdout
    csv = gram("align", views, "-o", "b", "--loss", "pmrl", "--warm-up", "0", "--format", "csv", *QUICK)
    assert csv.stdout.splitlines()[0] == "stage,epoch,lr,loss,temperature,validation_loss,R@1,R@5,R@10,MRR"
    assert len(csv.stdout.splitlines()) == 5


def test_data_are_embedded_through_heads_from_a_store(gram, tmp_path):
    from gramcli.datasets.generated import generate_dataset

    generate_dataset(tmp_path / "data", 24, 0)
    data = "data/manifest.csv"
    assert gram("embed", data, "-o", "base", "--workers", "0").exit_code == 0
    assert gram("align", "base", "-o", "heads", "--loss", "gram", *QUICK).exit_code == 0
    through = gram("embed", data, "--model", "heads:heads", "--from", "base", "-o", "seen", "--split", "test")
    assert through.exit_code == 0, through.output
    assert "signal + gram heads" in through.stdout
    asked = ("--task", "t2va", "--method", "gram", "--format", "csv")
    figures = [
        gram("eval", *target, *asked).stdout
        for target in (
            ("seen",),
            ("base", "--model", "heads:heads"),
            ("heads:heads", "--dataset", data, "--split", "test"),
        )
    ]
    assert figures[0] == figures[1] == figures[2] != ""
    for given, message in (
        (("--model", "signal", "--from", "base"), "--from goes with --model heads:DIR"),
        (("--model", "heads:heads", "--from", "base", "--retry-failed"), "--retry-failed has no effect"),
        (("--model", "heads:nowhere", "--from", "base"), "holds no heads"),
        (("--model", "heads:heads", "--from", "nowhere"), "does not exist"),
    ):
        refused = gram("embed", data, "-o", "other", *given)
        assert refused.exit_code in {1, 2}
        assert message in refused.stderr
        assert not (tmp_path / "other").exists()


def test_a_store_without_media_is_written_through_heads(gram, tmp_path, views):
    assert gram("align", views, "-o", "heads", "--loss", "gram", *QUICK).exit_code == 0
    asked = ("embed", views, "--model", "heads:heads", "--from", views)
    assert gram(*asked, "-o", "seen", "--split", "test").exit_code == 0
    assert "40" in gram("inspect", "seen").stdout
    assert gram(*asked, "-o", "all").exit_code == 0
    assert (
        gram.json("eval", "seen", "--task", "t2va")["results"] == gram.json("eval", "all", "--task", "t2va")["results"]
    )
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "unfinished" / "training.safetensors").write_bytes(b"")
    assert "is damaged" in gram("inspect", "unfinished").stderr
    assert "is not finished" in gram("eval", views, "--model", "heads:unfinished").stderr


@pytest.mark.parametrize(("after", "stage"), [(1, "warm-up by the cosine loss"), (3, "training by the gram loss")])
def test_heads_whose_training_was_stopped_are_described(gram, tmp_path, views, after, stage):
    from gramcli.alignment.run import AlignOptions, train_heads
    from gramcli.store import open_store

    def stop(done: int, _total: int, _words: str) -> None:
        if done == after:
            raise KeyboardInterrupt

    how = AlignOptions(dim=8, epochs=2, batch_size=30)
    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        train_heads(open_store(tmp_path / views), tmp_path / "heads", "gram", options=how, progress=stop)
    found = gram("inspect", "heads")
    assert (found.exit_code, found.stderr) == (0, "")
    said = " ".join(found.stdout.split())
    assert "1 of at most 2" in said
    assert "The training of these heads was stopped, so nothing can be seen through them yet." in said
    assert f"it goes on after epoch 1 of the {stage}." in said
    finished = gram(
        "align", views, "-o", "heads", "--loss", "gram", "--dim", "8", "--epochs", "2", "--batch-size", "30"
    )
    assert finished.exit_code == 0
    assert "was kept" in finished.stdout


def test_names_of_splits_are_said(gram, views):
    given = (
        "align",
        views,
        "-o",
        "heads",
        "--loss",
        "cosine",
        "--train-split",
        "Training",
        "--val-split",
        "Val",
        *QUICK,
    )
    said = gram(*given)
    assert said.exit_code == 0, said.output
    assert "Names of splits were read as what they mean: 'Training' as 'train', 'Val' as 'val'." in said.stdout


def test_a_store_is_seen_through_heads_only(gram, views):
    refused = gram("eval", views, "--model", "signal")
    assert refused.exit_code == 2
    assert "a STORE is seen through heads only" in refused.stderr


def test_labels_as_right_answers(gram, views):
    assert gram("align", views, "-o", "heads", "--loss", "cosine", "--relevant", "label", *QUICK).exit_code == 0
    asked = ("eval", views, "--model", "heads:heads", "--task", "t2v", "--method", "cosine")
    own, label = gram.json(*asked), gram.json(*asked, "--relevant", "label")
    assert own["provenance"]["relevant"] == "item"
    assert label["provenance"]["relevant"] == "label"

    def value(document, metric):
        return next(r["value"] for r in document["results"] if r["metric"] == metric and r["task"] == "t2v")

    assert value(label, "R@1") > value(own, "R@1")
    assert own["provenance"]["tasks"] != label["provenance"]["tasks"]
    refused = gram(*asked, "--relevant", "label", "--metrics", "geometry")
    assert refused.exit_code == 2


def test_wrong_options_are_one_line(gram, views):
    for given in (("--loss", "gramm"), ("--loss", "gram", "--metric", "R@2"), ("--loss", "gram", "--lr", "-1")):
        refused = gram("align", views, "-o", "heads", *given)
        assert refused.exit_code == 2, refused.output
        assert len(refused.stderr.splitlines()) == 1
    assert gram("align", "nowhere", "-o", "heads", "--loss", "gram").exit_code in {1, 2}
