"""`module:function`: an encoder of the user's own, from a folder on the path, from a package, and its mistakes."""

from __future__ import annotations

import json
import re
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from gramcli import embed, evaluate
from gramcli.encoders import from_functions, load_encoder
from gramcli.encoders.base import BrokenEncoderError, EncoderOptions, Preprocessing
from gramcli.encoders.own import OwnEncoder
from gramcli.errors import UserError
from gramcli.store import open_store
from tests.media_factory import write_video, write_wav

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "extend.md"


def on_the_page(name):
    """The file of a name that the page shows."""
    return re.search(rf"^```python\n(# {name}\n.*?)^```$", PAGE.read_text(), re.M | re.S)[1]


TEMPLATE, WHOLE = on_the_page("my_models.py"), on_the_page("my_batches.py")


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Write a module `my_models` into a folder on the path; returns the spec of its `make`."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))

    def write(source, factory="make"):
        sys.modules.pop("my_models", None)
        (folder / "my_models.py").write_text(textwrap.dedent(source))
        return f"my_models:{factory}"

    yield write
    sys.modules.pop("my_models", None)


def returns(rows, dims="{'text': 2}"):
    return f"""
        import numpy as np, torch
        class Made:
            dims = {dims}
            def encode(self, inputs):
                n = len(inputs["text"])
                return {rows}
        def make():
            return Made()
        """


@pytest.fixture
def clips(tmp_path):
    folder = tmp_path / "clips"
    folder.mkdir()
    for k, colour in enumerate([(200, 10, 10), (10, 200, 30), (20, 30, 220)]):
        write_video(folder / f"{k}.mp4", n_frames=4, colour=colour)
        (folder / f"{k}.txt").write_text("a clip " * (k + 1) + "\n")
    write_wav(folder / "0.wav", seconds=0.4)
    return folder


def test_the_template_embeds_in_workers_and_is_evaluated(module, clips, tmp_path):
    spec = module(TEMPLATE)
    summary = embed(clips, tmp_path / "store", model=spec, workers=2)
    assert summary.ok == {"text": 3, "video": 3, "audio": 3}
    store = open_store(tmp_path / "store")
    model = store.manifest["model"]
    assert (model["id"], model["preprocessing"]["frames"], model["shared_space"]) == ("colour-1", 8, True)
    first = np.array([len(open_text(clips, 0)), 0, 1], float)
    assert np.allclose(store.embeddings("text")[0], first / np.linalg.norm(first), atol=1e-6)
    assert evaluate(tmp_path / "store", tasks=["t2v"], methods=["cosine"]).results[0].n == 3


def test_the_templates_are_short():
    assert max(len(source.splitlines()) for source in (TEMPLATE, WHOLE)) <= 30


def open_text(clips, k):
    return (clips / f"{k}.txt").read_text().strip()


def test_options_reach_the_factory(module):
    assert load_encoder(module(TEMPLATE), frames=5).preprocessing == Preprocessing(frames=5)


def test_a_whole_class_with_views_and_nothing_it_need_not_say(module, clips, tmp_path):
    spec = module(WHOLE, "Mine")
    encoder = load_encoder(spec, frames=7)
    assert encoder.modalities == ("text", "video")
    assert encoder.preprocessing == Preprocessing(frames=7), "a factory that takes no options is told of frames so"
    described = json.loads(json.dumps(encoder.describe()))
    assert (described["id"], described["assumptions"]) == (spec, ["Mine sees one frame of a video."])
    summary = embed(clips, tmp_path / "store", model=encoder, workers=0)
    assert set(summary.ok) == {"text@query", "text@document", "video"}
    assert "Mine sees one frame of a video." in summary.notes


def test_changed_code_is_another_model(module):
    first = load_encoder(module(TEMPLATE)).describe()
    assert load_encoder(module(TEMPLATE)).describe() == first
    other = load_encoder(module(TEMPLATE.replace('count("red")', 'count("blue")'))).describe()
    assert other["id"] == first["id"]
    assert other["code_sha256"] != first["code_sha256"]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("3", "its encode gave int where a dict of rows was due"),
        ("{}", "its encode gave nothing, and no 'text'"),
        ("{'texts': np.ones((n, 2))}", "its encode gave texts, and no 'text'"),
        ("{'text': np.ones((n, 3)) / 3**.5}", r"of shape \[2, 3\] where \[2, 2\] was due"),
        ("{'text': np.ones(2)}", r"of shape \[2\] where \[2, 2\] was due"),
        ("{'text': [[1, 0]] * n}", "as int64 where floating-point numbers were due"),
        ("{'text': [['a', 'b']] * n}", "as <U1 where floating-point numbers were due"),
        ("{'text': [[1.0], [1.0, 2.0]]}", "no array of numbers"),
        ("{'text': np.full((n, 2), np.nan)}", "with NaN or infinity"),
        ("{'text': np.full((n, 2), np.inf)}", "with NaN or infinity"),
        ("{'text': np.ones((n, 2))}", "of length 1.414, off 1 by 0.41: divide each row by its length"),
        ("{'text': np.zeros((n, 2))}", "of length 0, off 1 by 1: no direction"),
        ("{'text': object()}", "floating-point numbers were due|no array of numbers|of shape"),
    ],
)
def test_what_its_encode_gives_is_checked_and_ends_the_run(module, tmp_path, rows, said):
    encoder = load_encoder(module(returns(rows)))
    with pytest.raises(BrokenEncoderError, match=rf"my_models:make is no encoder: .*({said})"):
        encoder.encode({"text": ["a", "b"]})
    (tmp_path / "a.csv").write_text("id,text\na,b\nb,c\n")
    with pytest.raises(BrokenEncoderError, match="my_models:make is no encoder"):
        embed(tmp_path / "a.csv", tmp_path / "store", model=encoder, text_only=True, workers=0)


@pytest.mark.parametrize("rows", ["np.eye(2)[:n]", "torch.eye(2)[:n].half()", "torch.eye(2)[:n].requires_grad_()"])
def test_rows_may_be_of_any_floating_kind(module, rows):
    found = load_encoder(module(returns(f"{{'text': {rows}}}"))).encode({"text": ["a", "b"]})["text"]
    assert found.dtype == np.float32
    assert found.tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize(
    ("dims", "said"),
    [
        ("None", "it has no dims"),
        ("{}", "it has no dims"),
        ("{'text': 0}", "gives? 'text' the dimension 0|give 'text' the dimension 0"),
        ("{'text': 2.0}", "the dimension 2.0"),
        ("{'words': 2}", "it encodes 'words', which is none of text, video"),
        ("{'text': 2}; prepare = lambda name, media: media", "its prepare cannot be sent to the decoding processes"),
        ("{'text': 2}; preprocessing = {'frame': 2}", "its preprocessing is {'frame': 2} where a dict of frames"),
        ("{'text': 2}; encode = None", "has no method encode"),
    ],
)
def test_what_it_says_of_itself_is_checked(module, dims, said):
    source = returns("{}", dims)
    if "encode = None" in dims:
        source = "class Made:\n    encode = None\n    dims = {'text': 2}\ndef make():\n    return Made()\n"
    with pytest.raises(BrokenEncoderError, match=said):
        load_encoder(module(source))


def test_there_is_no_such_module_or_function(module):
    spec = module(TEMPLATE)
    with pytest.raises(UserError, match=r"no module 'no_such_thing' that could be imported"):
        load_encoder("no_such_thing.models:make")
    with pytest.raises(UserError, match=r"there is no encoder 'signl' \(Did you mean 'signal'\?\), and no module"):
        load_encoder("signl:x")
    with pytest.raises(UserError, match=r"Module my_models has no function 'mak'. Did you mean 'make'"):
        load_encoder(spec.replace("make", "mak"))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("1 / 0", r"Your my_models:make failed with ZeroDivisionError: division by zero \(.*my_models.py, line 1\)"),
        ("import no_such_package", "failed with ModuleNotFoundError: No module named 'no_such_package'"),
        ("def make(:", "failed with SyntaxError"),
        ("def make():\n    raise SystemExit(3)", r"failed with SystemExit: 3 \(.*line 2\)"),
        ("def make():\n    return None", "NoneType has no method encode"),
    ],
)
def test_what_the_users_code_raises_is_named_as_theirs(module, source, said):
    with pytest.raises(UserError, match=said):
        load_encoder(module(source))


def test_an_error_in_encode_is_named_with_its_line(module, tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from gramcli.cli.main import app

    spec = module(returns("{'text': np.eye(2)[:n] / inputs['nothing']}"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text("id,text\na,b\n")
    words = ["embed", "a.csv", "--text-only", "--model", spec, "-o", "out", "--workers", "0"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 1
    assert "Your my_models:make failed with KeyError: 'nothing'" in result.stderr
    assert "my_models.py, line 7)" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_module_of_the_working_directory_is_found_last(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path not in ("", str(tmp_path))])
    (tmp_path / "here_models.py").write_text(TEMPLATE)
    (tmp_path / "json.py").write_text("raise RuntimeError('never loaded')")
    assert load_encoder("here_models:make").spec == "here_models:make"
    assert sys.path[-1] == str(tmp_path)
    sys.modules.pop("here_models")


def test_a_settings_file_that_lies_in_the_folder_may_not_have_code_run(tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from gramcli.cli.main import app

    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil.py").write_text("open('ran', 'w').close()")
    (tmp_path / "a.csv").write_text("id,text\na,b\n")
    for model in ("evil:make", "text=evil:make", "text=signal,video=evil.sub:make"):
        (tmp_path / "gram.toml").write_text(f"[embed]\nmodel = '{model}'\n")
        result = CliRunner().invoke(app, ["embed", "a.csv", "--text-only", "-o", "out"])
        assert result.exit_code == 2
        assert "must not have code of anyone's run as a model" in result.stderr
    assert not (tmp_path / "ran").exists()
    (tmp_path / "gram.toml").write_text("[embed]\nmodel = 'text=signal'\n")
    assert CliRunner().invoke(app, ["embed", "a.csv", "--text-only", "-o", "out"]).exit_code == 0


def test_an_installed_package_brings_one_by_its_entry_point(tmp_path, monkeypatch, clips):
    site = tmp_path / "site"
    info = site / "colour_package-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: colour-package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[gramcli.encoders]\ncolour = colour_models:ROW\n")
    row = (
        "from gramcli.encoders import EncoderRow\n"
        "ROW = EncoderRow('colour', 'colour_models:load', ('text', 'video', 'audio'), 'Colours.', 'us')\n"
        "def load(argument, options):\n    return make(options)\n"
    )
    (site / "colour_models.py").write_text(TEMPLATE + row)
    monkeypatch.syspath_prepend(str(site))
    by_name = load_encoder("colour", frames=3)
    assert isinstance(by_name, OwnEncoder)
    assert by_name.preprocessing.frames == 3
    by_module = load_encoder("colour_models:make", frames=3)
    given = {"text": ["a clip", "another"]}
    assert np.array_equal(by_name.encode(given)["text"], by_module.encode(given)["text"])
    sys.modules.pop("colour_models")


def test_functions_say_what_is_wrong():
    with pytest.raises(UserError, match="dims has no dimension for 'video'"):
        from_functions({"text": len, "video": len}, {"text": 2}, name="x")
    with pytest.raises(BrokenEncoderError, match=r"function of 'text' gave shape \[\] where \[2\] was due"):
        from_functions({"text": len}, 2, name="x").encode({"text": ["a"]})
    with pytest.raises(UserError, match="gave a vector that is zero or not finite"):
        from_functions({"text": lambda text: [0, 0]}, 2, name="x").encode({"text": ["a"]})


def test_options_are_those_of_any_encoder(module):
    spec = module("seen = []\ndef make(options):\n    seen.append(options)\n    raise KeyError\n")
    with pytest.raises(UserError, match="failed with KeyError"):
        load_encoder(spec, precision="bf16", allow_pickle=True)
    assert sys.modules["my_models"].seen == [EncoderOptions(precision="bf16", allow_pickle=True)]


@pytest.mark.parametrize(
    ("part", "given", "said"),
    [
        ("fused", ["va"], "its fused is .*a dict was due"),
        ("fused", "va", "its fused is 'va': a dict was due"),
        ("fused", {"va": ("video", "audio")}, "dims give 'va' no dimension"),
        ("fused", {"text": ("video", "smell")}, "'smell' is none of text, video"),
        ("fused", {"text": "video"}, "several names were due"),
        ("fused", {"text": ()}, "is made of several modalities"),
        ("notes", 5, "its notes is 5"),
        ("stand_ins", [1], "its stand_ins is .*a dict"),
        ("modalities", 5, "several names were due"),
        ("modalities", "text", "several names were due"),
        ("modalities", ("text", "video"), "it takes 'video', of which dims name no embedding"),
        ("prepare", None, "its prepare is None where a function"),
        ("preprocessing", {"frames": 0}, "frames 0, where a whole number"),
        ("preprocessing", {"frames": "8"}, "frames '8', where a whole number"),
        ("preprocessing", {"frames": 8.5}, "frames 8.5, where a whole number"),
        ("preprocessing", {"sample_rate": 0}, "the sample_rate 0"),
        ("preprocessing", {"frame_rule": "often"}, "the frame_rule 'often', none of middle-of-segment"),
        ("preprocessing", {"channels": 2}, "the channels 2, none of mean, first"),
    ],
)
def test_a_part_of_another_kind_is_named(part, given, said):
    made = type("Made", (), {"dims": {"text": 3}, "encode": dict, part: given})()
    with pytest.raises(UserError, match=f"m:f is no encoder: .*{said}"):
        OwnEncoder(made, "m:f")


@pytest.mark.parametrize("told", [{"x": {1}}, {"x": float("nan")}, {"x": object()}])
def test_what_no_store_can_record_is_named(told):
    made = type("Made", (), {"dims": {"text": 3}, "encode": dict, "describe": lambda _: told})()
    with pytest.raises(UserError, match=r"its describe\(\) gave what no JSON can hold"):
        OwnEncoder(made, "m:f").describe()


def test_parts_may_be_none_and_dimensions_of_numpy():
    parts = {"dims": {"text": np.int64(3)}, "encode": dict, "fused": None, "notes": "One.", "stand_ins": None}
    found = OwnEncoder(type("Made", (), parts)(), "m:f")
    assert (found.dims, found.fused, found.notes, found.stand_ins) == ({"text": 3}, {}, ("One.",), {})
