"""How heads were trained, as pages say it: settings side by side, commands that parse, curves."""

from __future__ import annotations

import shlex

from typer.main import get_command

from gramcli.cli.main import app
from gramcli.report.trainings import MOST, settings_table, training_command, trainings_between, trainings_of
from gramcli.results.records import Comparison

PLAN = {
    "loss": "gram", "store": "57f0ec55" * 8, "anchor": "text", "dim": 64, "hidden": 0, "epochs": 100, "lr": 0.01,
    "weight_decay": 0.01, "dropout": 0.5, "warm_up": 100, "lr_warmup": 0.1, "batch_size": 60, "temperature": None,
    "seed": 7, "train": "train", "validation": None, "metric": "MRR", "patience": 20, "relevant": "item",
    "modalities": ["text", "my video"], "task": "t2v", "method": "gram", "init": None,
}  # fmt: skip


def model(sha: str = "a" * 64, done: int = 3, plan: dict | None = None, **more) -> dict:
    curve = {"epoch": [1, 2, 3], "loss": [3.0, 2.0, 1.5], "validation_loss": [2.0, 1.0, 1.25],
             "measures": {"R@1": [0.1, 0.5, 0.4], "MRR": [0.2, 0.6, 0.5]}}  # fmt: skip
    record = {"plan": plan or PLAN, "curve": curve, "warm_up": {"done": 9, "kept": 4}} | more
    training = {"loss": "gram", "n_validation": 20, "epochs": {"done": done, "most": 100, "kept": 2},
                "metric": "MRR", "before": 0.2, "after": 0.6, "mean_cosines": {"text and video": 0.5}}  # fmt: skip
    return {"id": "signal + gram heads", "heads": {"sha256": sha, "loss": "gram", "n_trained": 180, "record": record,
                                                   "training": training}}  # fmt: skip


def told(*models: dict) -> dict[str, tuple[str, ...]]:
    table = settings_table([one for made in models for one in trainings_of({"model": made})])
    assert table is not None
    return {row[0]: row[1:] for row in table.rows}


def test_a_table_says_how_it_went() -> None:
    found = told(model())
    assert found["epochs"] == ("3 of at most 100, epoch 2 kept; ended after 20 epochs without a better one",)
    assert found["loss at first, kept, last epoch"] == ("training 3.000, 2.000, 1.500; validation 2.000, 1.000, 1.250",)
    assert found["learning rate"] == ("0.01 at most, AdamW, rising over the first 10 % of the steps",)
    assert (found["dropout"], found["seed"], found["batch size"]) == (("0.5",), ("7",), ("60",))
    assert found["started from"] == ("a stage by the cosine loss, epoch 4 of 9 kept",)
    said = "20 items (held out of train), by MRR of t2v under gram: 0.200 at the start, 0.600 at the kept epoch"
    assert found["chosen on"] == (said,)
    assert found["temperature at first"] == ("the loss's own",)
    assert told(model(plan=PLAN | {"seed": 0, "dropout": 0.0}))["seed"] == ("0",)


def test_an_end_that_was_no_end_is_said() -> None:
    last = model(done=100)
    last["heads"]["training"]["epochs"]["kept"] = 100
    assert "had not converged" in told(last)["epochs"][0]


def test_heads_of_an_older_version_show_what_is_known() -> None:
    old = model()
    del old["heads"]["record"]
    found = told(old)
    assert found["epochs"] == ("3 of at most 100, epoch 2 kept; ended early",)
    assert "seed" not in found
    assert trainings_of({"model": old})[0].history is None
    assert training_command(trainings_of({"model": old})[0]) == ""
    assert settings_table(trainings_of({"model": {"id": "signal"}})) is None
    assert settings_table(trainings_of({"model": "signal"})) is None


def test_the_command_is_one_that_gram_takes() -> None:
    words = shlex.split(training_command(trainings_of({"model": model()})[0]))
    assert words[:6] == ["gram", "align", "STORE", "-o", "HEADS", "--loss"]
    assert [words[k + 1] for k, word in enumerate(words) if word == "--modality"] == ["text", "my video"]
    align = get_command(app).commands["align"]
    known = {option for one in align.params for option in one.opts}
    assert {word for word in words if word.startswith("--")} <= known
    assert "--temperature" not in words
    assert "--val-split" not in words


def test_every_run_of_a_comparison_has_a_column_and_equal_heads_one() -> None:
    parts = [{"model": model(sha)} for sha in ("a" * 64, "b" * 64, "a" * 64)]
    found = Comparison(("one", "two"), (), {"evaluations": parts, "seeds": {"one": 2, "two": 1}})
    trained = trainings_between(found)
    assert [one.names for one in trained] == ["A run 1, B", "A run 2"]
    assert [one.history.name for one in trained] == ["A run 1, B gram", "A run 2 gram"]
    table = settings_table(trained)
    assert table.columns == ("setting", "A run 1, B", "A run 2")
    parts = [{"model": model(f"{k:064d}")} for k in range(12)]
    many = Comparison(("one",), (), {"evaluations": parts, "seeds": {"one": 12}})
    assert len(settings_table(trainings_between(many)).columns) == 1 + MOST
    assert f"the first {MOST} of 12" in settings_table(trainings_between(many)).title


def test_parts_of_a_joined_store_are_told() -> None:
    joined = {"id": "joined", "parts": [{"model": model()}, {"model": {"id": "clap"}}]}
    assert [one.model for one in trainings_of({"model": joined})] == ["signal + gram heads"]
