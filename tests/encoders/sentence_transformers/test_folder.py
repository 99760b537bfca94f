"""What is refused before the library loads it: code of the model, pickles, what is missing; and what runs not."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from gramcli.encoders import load_encoder
from gramcli.errors import UserError

pytest.importorskip("sentence_transformers", reason="the extra st is not installed: pip install 'gramcli[st]'")

ROOT = Path(__file__).parents[3]
OWN = {"AutoConfig": "modeling_mine.Mine", "AutoModel": "modeling_mine.Mine"}


@pytest.fixture
def copy(models, tmp_path):
    """A copy of the plain model, whose files may be changed."""
    folder = tmp_path / "model"
    shutil.copytree(models["plain"], folder)
    return folder


def changed(path, **settings):
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))


def code(folder, marker):
    (folder / "modeling_mine.py").write_text(f"open({str(marker)!r}, 'w').close()\nclass Mine: pass\n")


def test_a_module_of_the_models_own_is_not_run(copy, tmp_path):
    code(copy, tmp_path / "ran")
    rows = json.loads((copy / "modules.json").read_text())
    rows[0]["type"] = "modeling_mine.Mine"
    (copy / "modules.json").write_text(json.dumps(rows))
    with pytest.raises(UserError, match=r"built with 'modeling_mine.Mine', code that .* never runs"):
        load_encoder(f"st:{copy}")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("kind", ["os.system", "sentence_transformers.util.misc.fullname", "transformers.AutoModel"])
def test_nor_a_class_that_is_none_of_the_librarys_modules(copy, kind):
    rows = json.loads((copy / "modules.json").read_text())
    rows[1]["type"] = kind
    (copy / "modules.json").write_text(json.dumps(rows))
    with pytest.raises(UserError, match=rf"built with '{kind}'"):
        load_encoder(f"st:{copy}")


def test_a_model_that_needs_its_own_code_is_refused(copy, tmp_path):
    code(copy, tmp_path / "ran")
    changed(copy / "config.json", model_type="mine", auto_map=OWN)
    with pytest.raises(UserError, match="needs Python code that comes with the model, which gramcli never runs"):
        load_encoder(f"st:{copy}")
    assert not (tmp_path / "ran").exists()


def test_code_that_transformers_needs_no_more_is_left_alone(copy, models, tmp_path):
    code(copy, tmp_path / "ran")
    changed(copy / "config.json", auto_map=OWN)
    found = load_encoder(f"st:{copy}").encode({"text": ["a red circle"]})["text"]
    assert torch.equal(found, load_encoder(f"st:{models['plain']}").encode({"text": ["a red circle"]})["text"])
    assert not (tmp_path / "ran").exists()


def test_pickled_weights_only_when_they_are_allowed(copy, models):
    torch.save(load_file(copy / "model.safetensors"), copy / "pytorch_model.bin")
    (copy / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"its weights as pytorch_model.bin, a pickle, .*--allow-pickle"):
        load_encoder(f"st:{copy}")
    encoder = load_encoder(f"st:{copy}", allow_pickle=True)
    wanted = load_encoder(f"st:{models['plain']}").encode({"text": ["a red circle"]})["text"]
    assert torch.equal(encoder.encode({"text": ["a red circle"]})["text"], wanted)


def test_safetensors_of_another_name_do_not_let_a_pickle_in(copy):
    (copy / "model.safetensors").rename(copy / "other.safetensors")
    (copy / "pytorch_model.bin").write_bytes(b"no pickle at all")
    with pytest.raises(UserError, match=r"its weights as pytorch_model.bin, a pickle"):
        load_encoder(f"st:{copy}")


def test_a_pickle_beside_safetensors_is_not_read(copy):
    (copy / "pytorch_model.bin").write_bytes(b"no pickle at all")
    load_encoder(f"st:{copy}")


def test_weights_that_are_missing_are_not_made_up(copy):
    weights = load_file(copy / "model.safetensors")
    del weights["encoder.layer.1.output.dense.weight"]
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"lacks weights .*: encoder.layer.1.output.dense.weight\. Download"):
        load_encoder(f"st:{copy}")


def test_a_pooler_that_is_not_used_may_be_missing(copy):
    weights = load_file(copy / "model.safetensors")
    del weights["pooler.dense.weight"]
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    load_encoder(f"st:{copy}")


@pytest.mark.parametrize("prefix", ["", "bert."])
def test_fewer_layers_than_the_weights_have_are_refused(copy, prefix):
    weights = load_file(copy / "model.safetensors")
    save_file({f"{prefix}{name}": rows for name, rows in weights.items()}, copy / "model.safetensors", {"format": "pt"})
    load_encoder(f"st:{copy}")
    changed(copy / "config.json", num_hidden_layers=1)
    with pytest.raises(UserError, match=r"the weights have a encoder\.layer\.1, but config\.json describes 1 layers"):
        load_encoder(f"st:{copy}")


def test_a_pointer_is_named_as_one(copy):
    (copy / "model.safetensors").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n")
    with pytest.raises(UserError, match="is a Git LFS pointer"):
        load_encoder(f"st:{copy}")


def test_only_weights_that_are_read_are_recorded(copy):
    before = load_encoder(f"st:{copy}").describe()["weights_sha256"]
    shutil.copy(copy / "model.safetensors", copy / "model-00001-of-00002.safetensors")
    assert load_encoder(f"st:{copy}").describe()["weights_sha256"] == before


@pytest.mark.parametrize("order", [[0], [1, 2], [1, 0, 2]])
def test_modules_that_do_not_fit_each_other_end_in_a_sentence(copy, order):
    rows = json.loads((copy / "modules.json").read_text())
    (copy / "modules.json").write_text(json.dumps([rows[place] for place in order]))
    with pytest.raises(
        UserError, match=r"gives a text no vector \(.*modules\.json|takes .*, none of which|cannot be lo"
    ):
        load_encoder(f"st:{copy}")


@pytest.mark.parametrize("kept", [-8, 0, 1.5, "4", True])
def test_dimensions_that_none_could_keep_are_refused(copy, kept):
    changed(copy / "config_sentence_transformers.json", truncate_dim=kept)
    with pytest.raises(UserError, match=r"truncate_dim=.*where a whole number from 1 is due|cannot be loaded"):
        load_encoder(f"st:{copy}")


def test_the_spec_has_the_last_word_on_dimensions(copy):
    changed(copy / "config_sentence_transformers.json", truncate_dim=8)
    assert load_encoder(f"st:{copy}").dims["text"] == 8
    assert load_encoder(f"st:{copy}:truncate_dim=16").dims["text"] == 16


def test_a_tokenizer_made_of_nothing_is_refused(copy):
    for name in ("vocab.txt", "tokenizer.json"):
        (copy / name).unlink(missing_ok=True)
    with pytest.raises(UserError, match=r"has no tokenizer \(vocab\.txt or tokenizer\.json\)"):
        load_encoder(f"st:{copy}")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("adapter_config.json", '{"base_model_name_or_path": "org/other"}', "is an adapter of another model, 'org/oth"),
        ("modules.json", "[1]", "is no list of modules"),
        ("modules.json", "{", "is not JSON that can be read"),
        ("modules.json", '[{"type": "sentence_transformers.models.Transformer", "path": "../up"}]', "is not below it"),
        ("1_Pooling/config.json", '{"activation_function": "os.system"}', "none of torch.nn"),
        ("config.json", '{"model_type": "bert", "num_hidden_layers": 1e9}', "beyond 1,024"),
        ("config.json", '{"model_type": "no such model"}', "cannot be loaded"),
    ],
)
def test_what_else_is_refused_in_one_sentence(copy, name, content, said):
    (copy / name).write_text(content)
    with pytest.raises(UserError, match=said):
        load_encoder(f"st:{copy}")


def test_no_weights(copy):
    (copy / "model.safetensors").unlink()
    with pytest.raises(UserError, match="has no weights"):
        load_encoder(f"st:{copy}")


def test_cut_off_weights(copy):
    whole = (copy / "model.safetensors").read_bytes()
    (copy / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="is cut off or damaged"):
        load_encoder(f"st:{copy}")


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("st:", "Name a model"),
        ("st:/nowhere/at/all", "There is no folder /nowhere/at/all"),
        ("st:{copy}:truncate_dim=0", "from 1; got '0'"),
        ("st:{copy}:truncate_dim=x", "from 1; got 'x'"),
        ("st:{copy}:truncate_dim=4,truncate_dim=5", "twice"),
        ("st:{copy}:truncate=4", r"no option 'truncate'\. Did you mean 'truncate_dim'"),
        ("st:{copy}:truncate_dim=64", "keeps more than the 32 there are"),
        ("{copy}", "is a model of sentence-transformers. Name it with st:"),
        ("text={copy}", "is a model of sentence-transformers. Name it with st:"),
    ],
)
def test_specs_that_cannot_be(copy, spec, said):
    with pytest.raises(UserError, match=said):
        load_encoder(spec.format(copy=copy))


def test_a_folder_whose_name_ends_like_an_option_is_a_folder(copy):
    odd = copy.with_name("model:truncate_dim=4")
    copy.rename(odd)
    assert load_encoder(f"st:{odd}").dims["text"] == 32
    assert load_encoder(f"st:{odd}:truncate_dim=8").dims["text"] == 8


def test_a_missing_extra_is_a_sentence_with_the_install_line(forks):
    program = (
        "import sys; sys.modules['sentence_transformers'] = None\n"
        "from gramcli.encoders import load_encoder\n"
        "try: load_encoder('st:org/model')\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    said = forks.run(program).stdout
    assert said == ("UserError st: needs sentence-transformers, which is not installed: pip install 'gramcli[st]'\n")


def test_the_library_loads_only_when_it_is_asked_for():
    program = (
        "import sys\nfrom gramcli.encoders import load_encoder, ENCODERS\nload_encoder('signal')\n"
        "load_encoder('text=signal,video=signal')\nprint([m for m in ('sentence_transformers', 'transformers', 'torch')"
        " if m in sys.modules])"
    )
    assert (
        subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        == "[]\n"
    )
