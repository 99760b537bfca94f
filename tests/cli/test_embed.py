"""`gram embed` on real files, the good and the broken."""

from __future__ import annotations

import re
import shutil

import pytest

from gramcli.datasets.generated import generate_dataset


@pytest.fixture(scope="session")
def media(tmp_path_factory):
    """Three generated clips with captions."""
    return generate_dataset(tmp_path_factory.mktemp("media"), 3, 0).parent


@pytest.fixture
def clips(media, tmp_path):
    """A copy that a test may break."""
    return shutil.copytree(media, tmp_path / "clips")


def test_embed_a_manifest(gram, clips):
    document = gram.json("embed", clips / "manifest.csv", "-o", "emb")
    assert document["items"] == 3
    assert {row["modality"]: row["ok"] for row in document["results"]} == {"text": 3, "video": 3, "audio": 3}
    assert document["left_out"] == []
    again = gram.json("embed", clips / "manifest.csv", "-o", "emb")
    assert again["shards"] == {"written": 0, "reused": 1}


def test_a_broken_video_is_left_out_and_named(gram, clips):
    (clips / "videos" / "00001.mp4").write_text("this is no video")
    result = gram("embed", clips / "manifest.csv", "-o", "emb")
    assert result.exit_code == 3
    assert "Left out: 1 item" in result.stdout
    assert "00001" in result.stdout
    csv = gram("embed", clips / "manifest.csv", "-o", "emb", "--format", "csv")
    assert csv.stdout.splitlines()[0] == "modality,ok,partial,absent,failed"
    assert "2 left out (items x modalities); --format json lists them" in csv.stderr


def test_dry_run_writes_nothing(gram, clips, tmp_path):
    result = gram("embed", clips / "manifest.csv", "-o", "emb", "--dry-run")
    assert result.exit_code == 0
    assert "A new store of 1 shard would be written to emb" in result.stderr
    assert re.search(r"items +3", result.stdout)
    assert not (tmp_path / "emb").exists()


def test_dry_run_looks_at_what_is_there(gram, clips):
    gram("embed", clips / "manifest.csv", "-o", "emb")
    assert (
        "emb has all it needs (1 shard): nothing would be written"
        in gram("embed", clips / "manifest.csv", "-o", "emb", "--dry-run").stderr
    )
    other = gram("embed", clips / "manifest.csv", "-o", "emb", "--dry-run", "--frames", "3")
    assert "would be refused without --overwrite" in other.stderr


def test_split_and_limit_choose_items(gram, clips):
    assert gram.json("embed", clips / "manifest.csv", "-o", "emb", "--limit", "2")["items"] == 2


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nowhere", "-o", "emb"], 1, "nowhere"),
        (["empty", "-o", "emb"], 1, "empty"),
        (["clips/manifest.csv", "-o", "emb", "--model", "signall"], 2, "Did you mean 'signal'"),
        (["clips/manifest.csv", "-o", "emb", "--split", "tset"], 2, "no split 'tset'"),
        (["clips/videos/00000.mp4", "-o", "emb"], 1, "video file"),
        (["clips/manifest.csv", "-o", "file"], 1, "file"),
    ],
)
def test_mistakes_are_one_sentence(gram, clips, tmp_path, arguments, code, message):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("mine")
    result = gram("embed", *arguments)
    assert result.exit_code == code
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert result.stdout == ""
    assert (tmp_path / "file").read_text() == "mine"


def test_retry_failed_takes_the_file_that_was_mended(gram, clips):
    good = (clips / "videos" / "00001.mp4").read_bytes()
    (clips / "videos" / "00001.mp4").write_text("this is no video")
    assert gram("embed", clips / "manifest.csv", "-o", "emb").exit_code == 3
    (clips / "videos" / "00001.mp4").write_bytes(good)
    refused = gram("embed", clips / "manifest.csv", "-o", "emb")
    assert refused.exit_code == 1
    assert "the media files changed" in refused.stderr
    found = gram.json("embed", clips / "manifest.csv", "-o", "emb", "--retry-failed")
    assert found["left_out"] == []
    assert "--retry-failed: 1 item that had failed was tried again." in found["notes"]
    found = gram.json("embed", clips / "manifest.csv", "-o", "emb", "--retry-failed")
    assert "--retry-failed: nothing in the finished shards had failed; nothing was tried again." in found["notes"]


def test_verify_finds_a_flipped_bit(gram, clips, tmp_path):
    gram("embed", clips / "manifest.csv", "-o", "emb")
    assert ("shards", "1, all checksums right") in map(tuple, gram.json("inspect", "emb", "--verify")["facts"])
    shard = tmp_path / "emb" / "shards" / "00000.safetensors"
    data = bytearray(shard.read_bytes())
    data[-1] ^= 1
    shard.write_bytes(data)
    result = gram("inspect", "emb", "--verify")
    assert result.exit_code == 1
    assert "00000.safetensors is damaged: its checksum is wrong" in result.stderr
    assert gram("inspect", clips / "manifest.csv", "--verify").exit_code == 2


@pytest.mark.parametrize("time", ["soon", "0s", "-5s", "5 parsecs"])
def test_a_timeout_is_a_time(gram, clips, time):
    result = gram("embed", clips / "manifest.csv", "-o", "emb", f"--timeout={time}")
    assert result.exit_code == 2
    assert "is not a time above 0" in result.stderr


def test_progress_off_a_terminal_is_a_line_now_and_then():
    from gramcli.cli.session import Lines

    said = []
    tell = Lines("Embedding", "items", said.append)
    tell.EVERY = 0.0
    for done in range(3):
        tell(done, 10, "1 failed, bottleneck: decode")
    assert said[0] == "Embedding: 0 of 10 items, 0 s so far; 1 failed, bottleneck: decode", "no rate is known yet"
    times = r"[\d.,]+ items/s, \d+ s so far, \d+ s left"
    assert re.fullmatch(rf"Embedding: 2 of 10 items, {times}; 1 failed, bottleneck: decode", said[-1])


def test_items_without_media_are_an_error_unless_asked_for(gram, tmp_path):
    (tmp_path / "m.csv").write_text("id,vido,caption\na,a.mp4,hello\nb,b.mp4,world\n")
    refused = gram("embed", tmp_path / "m.csv", "-o", tmp_path / "s")
    assert refused.exit_code == 1
    assert "Did you mean 'video' by 'vido'?" in refused.stderr
    assert "--text-only" in refused.stderr
    assert not (tmp_path / "s").exists()
    texts = gram("embed", tmp_path / "m.csv", "-o", tmp_path / "s", "--text-only")
    assert (texts.exit_code, "texts alone" in texts.stdout) == (0, True)
