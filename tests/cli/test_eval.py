"""`gram eval`, `gram matrix` and `gram compare` on small stores."""

from __future__ import annotations

import io
import json

import numpy as np
import pandas as pd
import pytest

from gramcli.results.documents import load_evaluation
from gramcli.scoring.normalize import parse_normalization
from tests.cli.conftest import make_store

COLUMNS = ["task", "method", "stage", "metric", "value", "low", "high", "n"]


def test_eval_in_every_format(gram, store):
    asked = ("eval", store, "--task", "t2va", "--method", "gram")
    rows = pd.read_csv(io.StringIO(gram(*asked, "--format", "csv").stdout))
    assert list(rows.columns) == COLUMNS
    assert {"R@1", "R@5", "R@10", "MedR", "MeanR", "MRR"} <= set(rows.metric)
    document = gram.json(*asked)
    assert document["schema"] == 1
    assert len(document["results"]) == len(rows)
    assert gram(*asked, "--format", "markdown").stdout.startswith("| task")
    assert gram(*asked, "--format", "latex").stdout.startswith("\\begin{tabular}")
    table = gram(*asked).stdout
    assert table.isascii()
    assert "t2va" in table


def test_by_default_every_task_and_method_in_both_directions(gram, store):
    document = gram.json("eval", store)
    tasks = {row["task"] for row in document["results"]}
    assert {"t2v", "v2t", "t2va", "va2t"} <= tasks
    assert {"cosine", "gram", "pmrl"} <= {row["method"] for row in document["results"]}


def test_geometry_is_a_kind_of_figures(gram, store):
    asked = ("eval", store, "--metrics", "geometry", "--task", "t2va")
    rows = pd.read_csv(io.StringIO(gram(*asked, "--format", "csv").stdout))
    assert list(rows.columns) == COLUMNS
    assert {"text", "text~video", "t2va"} <= set(rows.task)
    assert {"geometry", "gram", "pmrl"} == set(rows.method)
    assert len(gram.json(*asked)["results"]) == len(rows)
    assert "effective_rank" in gram(*asked).stdout


def test_named_embeddings_can_be_asked_for(gram, store):
    document = gram.json("eval", store, "--query", "text", "--candidates", "video,audio", "--method", "cosine")
    assert "t2va" in {row["task"] for row in document["results"]}


def test_the_output_file_has_its_suffix_s_format_and_reads_back(gram, store, tmp_path):
    result = gram("eval", store, "--task", "t2v", "--method", "cosine", "-o", "e.json")
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    found = load_evaluation(tmp_path / "e.json")
    assert {row.method for row in found.results} == {"cosine"}
    assert found.ranks


def test_left_out_items_end_with_3(gram, gappy_store):
    document = gram.json("eval", gappy_store, "--split", "all", "--task", "t2a", "--method", "cosine", code=3)
    assert {item["id"] for item in document["left_out"]} >= {"clip00", "clip01"}


def test_expectations(gram, store):
    asked = ("eval", store, "--task", "t2v", "--method", "cosine")
    value = next(row["value"] for row in gram.json(*asked)["results"] if (row["task"], row["metric"]) == ("t2v", "R@1"))
    assert gram(*asked, "--expect", f"t2v:R@1={value}+-0.001").exit_code == 0
    failed = gram(
        *asked, "--expect", f"t2v:cosine:R@1={value}+-0.001", "--expect", "t2v:MedR=77+-1", "--format", "json"
    )
    assert failed.exit_code == 5
    assert json.loads(failed.stdout)["results"]
    assert failed.stderr.startswith("gram: error: t2v cosine MedR is ")
    assert gram(*asked, "--expect", "R@1=high").exit_code == 2
    assert gram(*asked, "--expect", "R@99=0.5").exit_code == 2


def test_the_report_is_a_page(gram, store, tmp_path):
    result = gram("eval", store, "--task", "t2v", "--report", "r.html")
    assert result.exit_code == 0, result.output
    assert "Wrote r.html." in result.stderr
    assert (tmp_path / "r.html").read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nowhere"], 1, "--dataset"),
        (["MSR-VTT"], 1, "It is a dataset: gram eval MODEL --dataset msrvtt --root DIR"),
        (["STORE", "--dataset", "clips"], 2, "is a store, where a model belongs. Did you mean: gram eval"),
        (
            ["clips"],
            2,
            "clips is a media folder, where a store belongs. Did you mean: gram eval signal",
        ),
        (
            ["clips.csv"],
            2,
            "clips.csv is a manifest, where a store belongs. Did you mean: gram eval signal",
        ),
        ([".", "--task", "t2v"], 1, "Write one with"),
        (["STORE", "--method", "gramm"], 2, "Did you mean 'gram'"),
        (["STORE", "--task", "t2x"], 2, "unknown letter"),
        (["STORE", "--task", "t2d"], 1, "depth"),
        (["STORE", "--query", "text"], 2, "--candidates is missing"),
        (["STORE", "--split", "tset"], 2, "Did you mean 'test'"),
        (["STORE", "--device", "tpu"], 2, "auto, cpu, cuda"),
        (["STORE", "--device", "cuda:7"], 2, "--device auto"),
        (["STORE", "--task", "t2v", "--method", "cosine", "-o", "no/folder/e.json"], 1, "Make the folder first"),
    ],
)
def test_mistakes_are_one_sentence(gram, store, tmp_path, arguments, code, message):
    if "clips" in "".join(arguments):
        (tmp_path / "clips").mkdir()
        (tmp_path / "clips" / "a.mp4").write_bytes(b"x")
        (tmp_path / "clips.csv").write_text("id,video\na,clips/a.mp4\n")
    result = gram("eval", *[str(store) if word == "STORE" else word for word in arguments])
    assert result.exit_code == code, result.output
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert result.stdout == ""


def test_matrix_is_written_by_suffix(gram, store, tmp_path):
    for name in ("m.npy", "m.csv"):
        result = gram("matrix", store, "--task", "t2va", "--method", "gram", "-o", name)
        assert result.exit_code == 0, result.output
    matrix = np.load(tmp_path / "m.npy")
    assert matrix.shape == (12, 12)
    assert matrix.dtype == np.float32
    np.testing.assert_array_equal(pd.read_csv(tmp_path / "m.csv", index_col="query").to_numpy(np.float32), matrix)


def test_matrix_without_a_file_is_summarised(gram, store):
    output = gram("matrix", store, "--task", "v2a", "--method", "cosine", "--limit", "3").stdout
    assert "matched pairs, mean" in output
    assert "Scores, queries down" in output
    document = gram.json("matrix", store, "--task", "v2a")
    assert {row["figure"]: row["value"] for row in document["results"]}["candidates"] == 12


def test_matrix_needs_one_task_and_a_known_suffix(gram, store):
    assert gram("matrix", store).exit_code == 2
    assert gram("matrix", store, "--task", "t2v", "--query", "text", "--candidates", "audio").exit_code == 2
    assert ".safetensors" in gram("matrix", store, "--task", "t2v", "-o", "m.txt").stderr


def test_compare_methods_of_a_store_and_saved_evaluations(gram, store):
    document = gram.json("compare", f"{store}@cosine", f"{store}@gram", "--task", "t2va")
    assert len(document["names"]) == 2
    assert {"R@1"} <= {row["metric"] for row in document["results"]}
    for method in ("cosine", "gram"):
        saved = gram("eval", store, "--task", "t2va", "--method", method, "-o", f"{method}.json")
        assert saved.exit_code == 0, saved.output
    result = gram("compare", "cosine.json", "gram.json")
    assert result.exit_code == 0, result.output
    assert "(baseline)" in result.stdout


def test_compare_needs_two(gram, store):
    assert gram("compare", store).exit_code == 2
    assert gram("compare", "none.json", f"{store}@gram").exit_code == 1


@pytest.mark.parametrize(("name", "transductive"), [("dsl", True), ("csls:k=3", True), ("qbnorm", False)])
def test_normalised_figures_say_so(gram, store, name, transductive):
    asked = ("eval", store, "--task", "t2va", "--method", "gram", "--normalize", name)
    document = gram.json(*asked)
    assert {row["stage"] for row in document["results"]} == {f"raw+{name}"}
    assert document["provenance"]["stage"] == f"raw+{name}"
    assert document["provenance"]["normalize"]["transductive"] is transductive
    assert ("t2va" in document["provenance"]["normalize"]["banks"]) is not transductive
    how = parse_normalization(name)
    assert document["provenance"]["normalize"]["parameters"] == how.parameters
    table = gram(*asked).stdout
    assert f"raw+{name}" in table
    assert f"with {how.values}: {how.row.formula}" in table
    assert ("It is transductive" in table) is transductive
    assert ("The bank is split 'train' (t2va: 13 queries, 12 candidates)" in table) is not transductive


def test_normalised_evaluations_can_be_compared(gram, store):
    asked = ("eval", store, "--task", "t2v", "--method", "cosine")
    assert gram(*asked, "-o", "raw.json").exit_code == 0
    assert gram(*asked, "--normalize", "dsl:tau=20", "-o", "dsl.json").exit_code == 0
    refused = gram("compare", "raw.json", "dsl.json")
    assert refused.exit_code == 2, refused.output
    assert "they differ in stage (raw against raw+dsl:tau=20)" in refused.output
    result = gram("compare", "raw.json", "dsl.json", "--allow-different", "stage")
    assert result.exit_code == 0, result.output
    assert "compared although stage (raw against raw+dsl:tau=20) differs" in result.output.replace("\n", " ")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--normalize", "dls"], 2, "Did you mean 'dsl'"),
        (["--normalize", ""], 2, "Unknown normalization"),
        (["--normalize", "qbnorm", "--split", "all"], 2, "Name a split with --split: test"),
        (["--normalize", "qbnorm", "--split", "train"], 2, "would be among the items it is tested on"),
    ],
)
def test_normalisations_that_cannot_be(gram, store, arguments, code, message):
    result = gram("eval", store, "--task", "t2v", "--method", "cosine", *arguments)
    assert result.exit_code == code, result.output
    assert message in result.stderr


def test_no_train_split_no_querybank(gram, tmp_path):
    path = make_store(tmp_path / "emb", splits=["val"] * 12 + ["test"] * 12)
    result = gram("eval", path, "--task", "t2v", "--method", "cosine", "--normalize", "qbnorm")
    assert result.exit_code == 1, result.output
    assert "has no item of it" in result.stderr


def test_tasks_that_no_item_has_what_it_takes_for_are_noted(gram, tmp_path):
    """A mixed folder: half of the items have audio, the others a picture; none has both."""
    import numpy as np

    from gramcli.store import write_store

    random, n = np.random.default_rng(0), 12
    rows = {name: random.normal(size=(n, 8)).astype(np.float32) for name in ("text", "video", "audio", "image")}
    first = [k < n // 2 for k in range(n)]
    write_store(
        tmp_path / "mixed",
        ids=[str(k) for k in range(n)],
        splits=[None] * n,
        labels=[None] * n,
        embeddings=rows,
        caption_items=range(n),
        status={
            "audio": ["ok" if one else "absent" for one in first],
            "image": ["absent" if one else "ok" for one in first],
        },
        model={"id": "made", "shared_space": True},
        dataset={"id": "made", "protocol": "manifest", "annotation_sha256": None},
    )
    found = gram.json("eval", "mixed", "--method", "gram", code=3)
    assert {"t2v", "t2a", "t2i", "t2va"} <= {row["task"] for row in found["results"]}
    assert "t2ai was left out: no item has all of its modalities." in found["notes"]
    assert gram("eval", "mixed", "--task", "t2ai").exit_code == 1
    assert "Did you mean" in gram("eval", "mixed", "--method", "grem").stderr


def test_compare_says_what_it_leaves_out(gram, gappy_store):
    found = gram.json(
        "compare", f"{gappy_store}@cosine", f"{gappy_store}@gram", "--task", "t2va", "--split", "all", code=3
    )
    assert {entry["modality"] for entry in found["left_out"]} == {"audio"}
    assert len(found["left_out"]) == 2


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("e.npz", 1, "Embeddings in a file become a store with: gram import FILE -o STORE, or gramcli.store"),
        (
            "model.pt",
            2,
            "model.pt looks like a checkpoint, where a store belongs. Did you mean: gram eval model.pt",
        ),
        (
            "run/log/hps.json",
            2,
            "run looks like a checkpoint, where a store belongs. Did you mean: gram eval run",
        ),
    ],
)
def test_what_is_no_store_is_told_what_to_do(gram, tmp_path, name, code, message):
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("{}")
    result = gram("eval", name.partition("/")[0])
    assert message in result.stderr
    assert result.exit_code == code


def test_what_is_left_out_is_said_also_where_the_answer_goes_to_a_file(gram, gappy_store):
    asked = ("--split", "all", "--task", "t2v", "--task", "t2a", "--method", "cosine")
    result = gram("eval", gappy_store, *asked, "-o", "out.json")
    assert result.exit_code == 3
    assert "2 left out (items x modalities); out.json lists them" in result.stderr
    assert "Left out: 2 items (by task: t2a 2)" in gram("eval", gappy_store, *asked).stdout
    result = gram("matrix", gappy_store, "--split", "all", "--task", "t2a", "-o", "m.npz")
    assert "2 left out (items x modalities); without -o, --format json lists them" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--missing", "Zero"], "'Zero' is not one of 'drop', 'present', 'zero', 'error'. Did you mean 'zero'?"),
        (["--method", "gram,pmrl"], "Name one method; where an option repeats, give it once for each"),
        (["--method", "GRAM"], "Did you mean 'gram'?"),
        (["--task", "t2va,t2a"], "repeat the option, as --task t2va --task t2a"),
        (["--task", "T2VA"], "Letters are lower case: t2va."),
        (["--query", "Text", "--candidates", "video"], "Did you mean 'text'?"),
        (["--expect", "R@1=52.5+-0.5"], "values are fractions, write R@1=0.525+-0.005 for per cent"),
    ],
)
def test_near_misses_get_a_hint(gram, store, arguments, message):
    result = gram("eval", store, *arguments)
    assert result.exit_code in (1, 2, 5)
    assert message in " ".join(result.stderr.split())
    assert "Value error" not in result.stderr
