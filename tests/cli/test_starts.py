"""A wrong start names the command that was probably meant, with the user's own paths, ready to be pasted."""

from __future__ import annotations

import json
import shlex
import shutil

import pytest

from gramcli.cli.main import COMMANDS
from gramcli.cli.starts import kind_of
from gramcli.results.documents import dump_json, evaluation_document
from tests.made_results import evaluation


@pytest.fixture
def here(gram, store, tmp_path):
    """Everything a user may mix up, in one folder, with spaces in the names."""
    shutil.copytree(store, tmp_path / "my emb")
    (tmp_path / "my clips").mkdir()
    (tmp_path / "my clips" / "a.mp4").write_bytes(b"x")
    (tmp_path / "clips.csv").write_text("id,video\na,a.mp4\n")
    (tmp_path / "my heads").mkdir()
    (tmp_path / "my heads" / "heads.json").write_text("{}")
    (tmp_path / "run 1" / "log").mkdir(parents=True)
    (tmp_path / "model.pt").write_bytes(b"x")
    (tmp_path / "e.json").write_text(dump_json(evaluation_document(evaluation(4))))
    return gram


@pytest.mark.parametrize(
    ("command", "meant"),
    [
        ("eval 'my clips'", "gram eval signal --dataset 'my clips'"),
        ("eval clips.csv", "gram eval signal --dataset clips.csv"),
        ("eval 'run 1'", "gram eval 'run 1' --dataset DATA"),
        ("eval signal", "gram eval signal --dataset DATA"),
        ("eval 'my heads'", "gram eval STORE --model 'heads:my heads'"),
        ("eval e.json", "gram inspect e.json, or gram compare e.json OTHER.json"),
        ("eval 'my emb' --model 'my heads'", "gram eval 'my emb' --model 'heads:my heads'"),
        ("eval 'my emb' --dataset 'my clips'", "gram eval 'my emb'"),
        ("eval 'my clips' --dataset signal", "gram eval signal --dataset 'my clips'"),
        ("eval 'my clips' --dataset 'run 1'", "gram eval 'run 1' --dataset 'my clips'"),
        ("eval 'my clips' --dataset clips.csv", "gram eval signal --dataset clips.csv"),
        ("eval 'my heads' --dataset clips.csv", "gram eval 'heads:my heads' --dataset clips.csv"),
        ("eval e.json --dataset clips.csv", "gram eval signal --dataset clips.csv"),
        ("eval signal --dataset 'my emb'", "gram eval 'my emb'"),
        ("embed 'my emb' -o o", "gram eval 'my emb'"),
        ("embed 'my emb' -o o --model heads:h", "gram embed 'my emb' --model heads:h --from 'my emb' -o o"),
        ("embed 'run 1' -o o --model 'my clips'", "gram embed 'my clips' --model 'run 1' -o o"),
        ("embed signal -o o", "gram embed DATA --model signal -o o"),
        ("embed 'my heads' -o o", "gram embed DATA --model 'heads:my heads' --from STORE -o o"),
        ("embed e.json -o o", "gram inspect e.json"),
        ("embed 'my clips' -o o --model 'my emb'", "gram eval 'my emb', or gram embed 'my clips' --model heads:HEADS"),
        (
            "embed 'my clips' -o o --model 'my heads'",
            "gram embed 'my clips' --model 'heads:my heads' --from STORE -o o",
        ),
        ("embed 'my clips' -o o --model clips.csv", "gram embed 'my clips' --model signal -o o"),
        ("matrix 'my clips' --task t2v", "embed 'my clips' -o 'my clips_emb'; then: gram matrix 'my clips_emb' --task"),
        ("matrix 'run 1'", "gram embed DATA --model 'run 1' -o STORE"),
        ("matrix e.json", "gram inspect e.json"),
        ("matrix 'my heads'", "gram embed STORE --model 'heads:my heads' --from STORE -o SEEN"),
        ("align 'my clips' --loss gram -o h", "then: gram align 'my clips_emb' -o h --loss gram"),
        ("align 'my heads' --loss gram -o h", "gram align STORE -o h --loss gram --init 'my heads'"),
        ("compare 'my emb'", "gram compare 'my emb@cosine' 'my emb@gram'"),
        ("compare e.json", "gram compare e.json OTHER"),
        ("compare e.json 'my clips'", "gram eval signal --dataset 'my clips' -o 'my clips.json'"),
        ("compare e.json 'my heads@gram'", "gram compare e.json 'STORE+heads:my heads@gram'"),
        ("compare 'my heads' 'my heads@gram' --on S", "gram compare 'heads:my heads' 'heads:my heads@gram' --on S"),
        ("compare 'my heads@gram' 'my heads'", "gram compare 'STORE+heads:my heads@gram' 'STORE+heads:my heads'"),
        ("compare e.json heads:h", "gram compare e.json heads:h --on STORE"),
        ("compare e.json model.pt", "gram compare e.json model.pt --dataset DATA"),
        ("export 'my heads' -o x.npz", "gram embed STORE --model 'heads:my heads' --from STORE -o SEEN"),
        ("export clips.csv -o x.npz", "gram inspect clips.csv"),
        ("join 'my clips' 'my emb' -o j", "gram embed 'my clips' -o 'my clips_emb'"),
        ("datasets 'my clips'", "gram inspect 'my clips'"),
        ("plot 'my clips' map", "then: gram plot 'my clips_emb' map"),
        ("plot 'run 1'", "gram embed DATA --model 'run 1' -o STORE"),
    ],
)
def test_the_command_that_was_meant_is_named(here, command, meant):
    result = here(*shlex.split(command))
    assert result.exit_code == 2
    assert meant in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_with_json_it_is_one_document(here):
    assert "Did you mean: gram eval signal" in here.json("eval", "my clips", code=2)["error"]["message"]


@pytest.mark.parametrize("command", ["eval 'my emd'", "matrix 'my emd' --task t2v", "align 'my emd' --loss gram -o h"])
def test_a_store_of_nearly_that_name_is_named(here, command):
    result = here(*shlex.split(command))
    assert result.exit_code == 1
    assert "There is no store my emd. Did you mean: gram " in result.stderr
    assert "'my emb'" in result.stderr


@pytest.mark.parametrize(
    ("command", "meant"),
    [
        ("evl 'my emb'", "Did you mean: gram eval 'my emb'"),
        ("'my emb' --task t2v", "Did you mean: gram eval 'my emb' --task t2v"),
        ("'my clips'", "Did you mean: gram embed 'my clips' -o 'my clips_emb'"),
        ("e.json", "Did you mean: gram inspect e.json"),
        ("train 'my emb'", "Did you mean: gram align 'my emb'"),
        ("help", "Did you mean: gram --help"),
        ("help eval", "Did you mean: gram eval --help"),
        ("xyzzy", "Commands: embed, import, eval, compare"),
        ("align 'my emb' --loss gram -o h --warmup 0.1", "No such option: --warmup. Did you mean '--lr-warmup'?"),
        ("eval 'my emb' --metod gram", "No such option: --metod. Did you mean '--method'?"),
        ("embed 'my clips'", "Such as: gram embed 'my clips' -o 'my clips_emb'"),
        ("align 'my emb'", "Such as: gram align 'my emb' --loss gram -o heads_gram"),
        ("align 'my emb' --loss pmrl", "Such as: gram align 'my emb' --loss pmrl -o heads_pmrl"),
        ("export 'my emb'", "Such as: gram export 'my emb' -o 'my emb.npz'"),
        ("export 'run 1'", "Such as: gram export 'run 1' -o 'run 1.safetensors'"),
        ("eval --task t2v", "Missing argument 'TARGET'. Such as: gram eval clips_emb"),
    ],
)
def test_a_command_line_that_cannot_be_read_gets_a_suggestion(here, command, meant):
    result = here(*shlex.split(command))
    assert result.exit_code == 2
    assert meant in result.stderr
    document = json.loads(here(*shlex.split(command), "--format", "json").stdout)
    assert document["error"]["kind"] == "usage"


def test_a_folder_of_media_with_weights_in_it_is_media(here, tmp_path):
    (tmp_path / "my clips" / "x.pt").write_bytes(b"x")
    assert kind_of("my clips") == "checkpoint"
    assert kind_of("my clips", media_first=True) == "media folder"
    assert here("embed", "my clips", "-o", "o", "--dry-run").exit_code in (0, 3)


@pytest.mark.parametrize("odd", ["", ".", "..", "/", "a" * 5000, "heads:", "vast", "@", "~"])
def test_no_operand_breaks_the_look_at_it(here, odd):
    for name in COMMANDS:
        result = here(name, odd)
        assert result.exception is None or isinstance(result.exception, SystemExit), (name, result.exception)


def test_an_option_like_no_other_gets_no_suggestion(here):
    assert "No such option: --nonsense.\n" in here("methods", "--nonsense").stderr


@pytest.mark.parametrize("words", [["eval"], ["matrix"], ["compare"], ["align", "-o", "h", "--loss", "gram"]])
def test_a_folder_above_stores_names_the_stores(gram, store, words):
    result = gram(words[0], store.parent, *words[1:])
    assert result.exit_code == 2
    assert "is a folder above stores, where a store" in result.stderr
    assert str(store) in result.stderr


def test_usage_has_no_marks_of_the_parser(gram):
    assert "Usage: gram compare [OPTIONS] A B...\n" in gram("compare", "--help").stdout


def test_hidden_files_and_folders_make_nothing_what_it_is_not(tmp_path):
    """What macOS and editors leave: `._` files, caches and thumbnails."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "._x.mp4").write_bytes(b"x")
    (tmp_path / "a" / ".thumbnails").mkdir()
    (tmp_path / "a" / ".thumbnails" / "x.png").write_bytes(b"x")
    (tmp_path / "a" / "._x.pt").write_bytes(b"x")
    (tmp_path / "a" / ".old").mkdir()
    (tmp_path / "a" / ".old" / "manifest.json").write_text("{}")
    assert kind_of(str(tmp_path / "a")) is None
    (tmp_path / "a" / "x.ckpt").write_bytes(b"x")
    assert kind_of(str(tmp_path / "a")) == "checkpoint"
    (tmp_path / "a" / "x.mp4").write_bytes(b"x")
    assert kind_of(str(tmp_path / "a"), media_first=True) == "media folder"
