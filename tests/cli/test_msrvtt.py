"""MSR-VTT from a folder to figures: the real ids and captions over tiny clips, in two layouts, under two protocols."""

from __future__ import annotations

import json

import pytest

from tests.datasets.fabricated import ids_of, make_root, seeds, silent_ids

FRAMES = ("--frames", "1", "--workers", "2")
JOINT = ("--task", "t2va", "--method", "gram")


@pytest.fixture(scope="module")
def roots(tmp_path_factory, reference_data):
    """Both layouts: folder -> (root, ids of broken videos)."""
    folder = tmp_path_factory.mktemp("msrvtt")
    clips = seeds(folder / "clips")
    made = {}
    for layout in ("videos/all", "TestVideo"):
        root = folder / layout.partition("/")[0] / "MSRVTT"
        made[layout] = (root, make_root(root, reference_data, clips, layout))
    return made


def queries(document, task):
    """Number of queries of a task in an evaluation's rows."""
    (found,) = {row["n"] for row in document["results"] if row["task"] == task and row["metric"] == "R@1"}
    return found


@pytest.mark.parametrize("layout", ["videos/all", "TestVideo"])
def test_msr_vtt_from_folder_to_figures(gram, roots, reference_data, layout):
    root, broken = roots[layout]
    apart = layout == "TestVideo"
    silent = silent_ids(reference_data)
    assert len(silent) == 116

    found = gram.json("datasets", "msrvtt", "--root", root)
    assert found["complete"]
    assert found["annotation"] == "annotations/descs_ret_test.json"
    assert found["n"] == 1000
    assert found["media"]["video"] == {
        "rule": "id",
        "found": 1000,
        "rates": found["media"]["video"]["rates"],
        "doubles": 0,
    }
    assert found["media"]["audio"]["found"] == (884 if apart else 0)

    embedded = gram.json("embed", "msrvtt", "--root", root, "-o", "all_emb", *FRAMES, code=3)
    counts = {row["modality"]: (row["ok"], row["absent"], row["failed"]) for row in embedded["results"]}
    assert counts["text"] == (1000, 0, 0)
    assert counts["video"] == (997, 0, 3)
    assert counts["audio"] == ((884, 116, 0) if apart else (881, 116, 3))
    assert {entry["id"] for entry in embedded["left_out"]} == set(broken)

    whole = gram.json("eval", "all_emb", "--task", "t2v", *JOINT, code=3)
    assert whole["provenance"]["protocol"] == "msrvtt-1k@1"
    assert whole["provenance"]["n"] == 1000
    assert (queries(whole, "t2v"), queries(whole, "t2va")) == (997, 881)
    assert {entry["id"] for entry in whole["left_out"]} == {*silent, *broken}
    present = gram.json("eval", "all_emb", *JOINT, "--missing", "present", code=0 if apart else 3)
    groups = {"t2va": 881, "t2va/t2v": 116, **({"t2va/t2a": 3} if apart else {})}
    assert {task: queries(present, task) for task in groups} == groups  # items without sound keep their video

    with_sound = gram.json(
        "eval", "signal", "--dataset", "msrvtt", "--root", root, "--protocol", "msrvtt-1k-av", *JOINT, *FRAMES, code=3
    )
    assert with_sound["provenance"]["protocol"] == "msrvtt-1k-av@1"
    assert with_sound["provenance"]["n"] == 884
    assert queries(with_sound, "t2va") == 881
    by_protocol = [entry["id"] for entry in with_sound["left_out"] if "msrvtt-1k-av@1 leaves it out" in entry["reason"]]
    assert by_protocol == [one for one in ids_of(reference_data) if one in set(silent)]

    refused = gram("eval", "all_emb", "--protocol", "msrvtt-1k-av")
    assert refused.exit_code == 2
    assert "holds the items of msrvtt-1k@1, not of msrvtt-1k-av" in refused.stderr


def test_files_that_are_not_there_are_named_and_fail_rather_than_vanish(gram, roots, tmp_path):
    root, _ = roots["videos/all"]
    few = tmp_path / "MSRVTT"
    (few / "clips").mkdir(parents=True)
    rows = json.loads((root / "annotations/descs_ret_test.json").read_text())[100:104]
    (few / "descs_ret_test.json").write_text(json.dumps(rows))
    kept, lost = rows[:3], rows[3]["video_id"]
    for row in kept:
        (few / f"clips/{row['video_id']}.mp4").hardlink_to(root / f"videos/all/{row['video_id']}.mp4")
    shown = gram("datasets", "msrvtt", "--root", few)
    assert shown.exit_code == 3
    assert f"1 of 4 items have no video file below the root, for instance {lost}." in shown.stdout
    assert "holds 4 items where msrvtt-1k@1 has 1,000" in shown.stdout
    document = gram.json("embed", "msrvtt", "--root", few, "-o", "emb", "--workers", "0", code=3)
    assert {row["modality"]: row["failed"] for row in document["results"]}["video"] == 1
    assert {"id": lost, "modality": "video", "reason": f"no file named {lost}.* below MSRVTT/"} in document["left_out"]
    (few / f"clips/my_{lost}.mp4").hardlink_to(root / f"videos/all/{lost}.mp4")
    assert (
        f"The name my_{lost}.mp4 resembles the id {lost}: rename it to {lost}.mp4."
        in gram("datasets", "msrvtt", "--root", few).stdout
    )
