"""Wrapped weights: entries, prefixes and segments that others put around a model's names come off, and it is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from gramcli.encoders.vast.architecture import Architecture
from gramcli.encoders.vast.infer import infer_architecture
from gramcli.encoders.vast.layout import find_checkpoint
from gramcli.encoders.vast.names import expected_shapes
from gramcli.encoders.vast.tensors import WeightFiles
from gramcli.encoders.vast.weights import load_weights
from gramcli.encoders.vast.wrappers import tensors_in, unwrap
from gramcli.errors import UserError
from tests.encoders.vast.checkpoints import Attack, stand_in

State = dict[str, torch.Tensor]
EMA = "EMA weights lie beside under '{0}', unused; to use them, save those of '{0}' alone."


def under(prefix: str, state: State) -> State:
    return {prefix + key: tensor for key, tensor in state.items()}


def within(state: State) -> State:
    """As FSDP, activation checkpointing and compiled submodules write names."""
    wrapped = {"layers": "layers._fsdp_wrapped_module", "visual": "visual._orig_mod", "layer": "layer.module"}
    return {
        ".".join(wrapped.get(part, part) for part in key.replace("fc1", "_checkpoint_wrapped_module.fc1").split(".")): t
        for key, t in state.items()
    }


def moments(state: State) -> dict[str, Any]:
    """An optimizer's state with as many tensors of the same names and shapes as the model has."""
    named = {key: {"step": torch.tensor(3.0), "exp_avg": t * 0, "exp_avg_sq": t * 0} for key, t in state.items()}
    return {"state": named, "param_groups": [{"lr": 1e-4, "params": list(state)}]}


STRIPPED = "{} was stripped from the names of the tensors."
ENTRY = "The weights were taken from the entry '{}' of the file."
NAMES: list[tuple[Callable[[State], State], str]] = [
    (lambda state: under("_orig_mod.", state), STRIPPED.format("'_orig_mod.'")),
    (lambda state: under("_forward_module.", state), STRIPPED.format("'_forward_module.'")),
    (lambda state: under("_fsdp_wrapped_module.", state), STRIPPED.format("'_fsdp_wrapped_module.'")),
    (lambda state: under("module._orig_mod.", state), STRIPPED.format("'module.' and '_orig_mod.'")),
    (lambda state: under("net.", state), STRIPPED.format("'net.'")),
    (lambda state: under("lightning.model.net.", state), STRIPPED.format("'lightning.model.net.'")),
    (lambda state: under("model._orig_mod.module.", state), STRIPPED.format("'model.' and '_orig_mod.' and 'module.'")),
    (within, ""),
]
ENTRIES: list[tuple[Callable[[State], Any], str]] = [
    (lambda state: {"net": state}, ENTRY.format("net")),
    (lambda state: {"params": state, "epoch": 1}, ENTRY.format("params")),
    (lambda state: {"ema": state}, ENTRY.format("ema")),
    (lambda state: {"a": {"b": {"c": {"model": state}}}}, ENTRY.format("a.b.c.model")),
    (lambda state: {"module": state, "optimizer": moments(state), "ds_config": {}}, ENTRY.format("module")),
    (lambda state: {"model": state, "optimizer_states": [moments(state)]}, ENTRY.format("model")),
    (lambda state: {"model": state, "adam": moments(state), "exp_avg": state}, ENTRY.format("model")),
    (lambda state: {"model": state, "state_dict": state}, ENTRY.format("model")),
    (
        lambda state: {"state_dict": under("model.", state), "epoch": 1},
        "The weights were taken from the entry 'state_dict' of the file, and 'model.' stripped from their names.",
    ),
    (lambda state: {"vision_encoder": part(state, True), **part(state, False)}, ""),
]


def part(state: State, vision: bool) -> State:
    start = "vision_encoder."
    return {key.removeprefix(start): tensor for key, tensor in state.items() if key.startswith(start) is vision}


def assert_same(path: Path, architecture: Architecture, state: State) -> WeightFiles:
    model = stand_in(expected_shapes(architecture))
    report = load_weights(find_checkpoint(path), model)
    assert (report.unexpected, report.missing) == ({}, {})
    loaded = model.state_dict()
    assert all(torch.equal(loaded[key], state[key]) for key in state)
    return WeightFiles([path])


@pytest.mark.parametrize("suffix", ["pt", "pth", "bin", "ckpt", "safetensors"])
@pytest.mark.parametrize(("change", "said"), NAMES)
def test_names(
    tmp_path: Path, architecture: Architecture, state: State, change: Callable[[State], State], said: str, suffix: str
) -> None:
    path, changed = tmp_path / f"x.{suffix}", change(state)
    save_file(changed, path) if suffix == "safetensors" else torch.save(changed, path)
    remarks = assert_same(path, architecture, state).remarks
    assert remarks == (said,) if said else "'_fsdp_wrapped_module.'" in remarks[0]


@pytest.mark.parametrize(("change", "said"), ENTRIES)
def test_entries(
    tmp_path: Path, architecture: Architecture, state: State, change: Callable[[State], Any], said: str
) -> None:
    torch.save(change(state), tmp_path / "x.pt")
    assert assert_same(tmp_path / "x.pt", architecture, state).remarks == ((said,) if said else ())


def test_what_is_not_wrapped_is_not_remarked_upon(tmp_path: Path, architecture: Architecture, state: State) -> None:
    torch.save(state, tmp_path / "x.pt")
    assert assert_same(tmp_path / "x.pt", architecture, state).remarks == ()


@pytest.mark.parametrize(
    ("beside", "name"),
    [
        (lambda ema: {"ema": ema}, "ema"),
        (lambda ema: {"model_ema": ema}, "model_ema"),
        (lambda ema: {"ema_state_dict": under("module.", ema)}, "ema_state_dict"),
        (lambda ema: {"state_dict_ema": ema}, "state_dict_ema"),
        (lambda ema: {"shadow_params": list(ema.values())}, "shadow_params"),
        (lambda ema: {"ema": {"decay": 0.9, "shadow_params": list(ema.values())}}, "ema"),
        (lambda ema: {"callbacks": {"EMA": {"ema_weights": list(ema.values())}}}, "callbacks.EMA"),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_averages_beside_are_said(
    tmp_path: Path, architecture: Architecture, state: State, beside: Callable[[State], Any], name: str, first: bool
) -> None:
    ema = beside({key: tensor * 0 for key, tensor in state.items()})
    torch.save({"model": state} | ema if first else ema | {"model": state}, tmp_path / "x.pt")
    remarks = assert_same(tmp_path / "x.pt", architecture, state).remarks
    assert remarks == (ENTRY.format("model"), EMA.format(name))


@pytest.mark.parametrize("shortened", [True, False])
def test_averages_among_the_names_are_said(
    tmp_path: Path, architecture: Architecture, state: State, shortened: bool
) -> None:
    """As a module that holds both writes them; some drop the dots of the averages."""
    averages = {key.replace(".", "") if shortened else key: tensor * 0 for key, tensor in state.items()}
    save_file(under("model_ema.", averages) | under("model.", state), tmp_path / "x.safetensors")
    remarks = assert_same(tmp_path / "x.safetensors", architecture, state).remarks
    assert remarks == (STRIPPED.format("'model.'"), EMA.format("model_ema"))


def test_a_counter_is_no_average(tmp_path: Path, architecture: Architecture, state: State) -> None:
    payload = {"model": state, "ema": {"decay": torch.tensor(0.9)}, "ema_decay": torch.tensor(0.9)}
    torch.save(payload, tmp_path / "x.pt")
    assert assert_same(tmp_path / "x.pt", architecture, state).remarks == (ENTRY.format("model"),)


def test_what_belongs_to_no_part_is_unexpected(tmp_path: Path, architecture: Architecture, state: State) -> None:
    torch.save(
        under("module.", state) | {"n_averaged": torch.ones(2), "module.queue": torch.ones(3)}, tmp_path / "x.pt"
    )
    report = load_weights(find_checkpoint(tmp_path / "x.pt"), stand_in(expected_shapes(architecture)))
    assert report.unexpected == {"n_averaged": 1, "queue": 1}


def test_two_models_are_refused(tmp_path: Path, state: State) -> None:
    torch.save({"student": state, "teacher": {key: t * 2 for key, t in state.items()}}, tmp_path / "x.pt")
    said = (
        r"x\.pt holds 2 models, under 'student' and 'teacher'; save the tensors of one alone, without what stands "
        r"before their names\.$"
    )
    with pytest.raises(UserError, match=said):
        WeightFiles([tmp_path / "x.pt"])


def test_two_values_of_a_tensor_are_refused(tmp_path: Path, state: State) -> None:
    torch.save(state | {"module.contra_temp": torch.tensor(2.0)}, tmp_path / "x.pt")
    with pytest.raises(UserError, match=r"holds contra_temp and module\.contra_temp, the same tensor of one model"):
        WeightFiles([tmp_path / "x.pt"])


def test_flattened_parameters_are_refused(tmp_path: Path) -> None:
    torch.save({"vision_encoder._fsdp_wrapped_module._flat_param": torch.ones(9)}, tmp_path / "x.pt")
    with pytest.raises(UserError, match=r"_flat_param, parameters that FSDP flattened; save a full state_dict"):
        WeightFiles([tmp_path / "x.pt"])


@pytest.mark.parametrize("payload", [{"state": {0: {"exp_avg": torch.ones(3)}}, "param_groups": []}, [torch.ones(2)]])
def test_an_optimizer_alone_is_no_model(tmp_path: Path, payload: Any) -> None:
    torch.save(payload, tmp_path / "x.pt")
    with pytest.raises(UserError, match=r"holds no tensors by name \(states of optimizers aside\); give the weights"):
        WeightFiles([tmp_path / "x.pt"])


def test_names_that_cannot_be_told_are_those_of_the_file(tmp_path: Path, state: State) -> None:
    torch.save({"net": under("module.my-", state)}, tmp_path / "x.pt")
    files = WeightFiles([tmp_path / "x.pt"])
    said = (
        r"and hold net\.module\.my-audio_encoder\.encoder\.layer_norm\.bias, .*All names begin with "
        r"'net\.module\.my-': if a wrapper put it there, save them without it\. Give a checkpoint of VAST"
    )
    with pytest.raises(UserError, match=said):
        infer_architecture(files.shapes, {}, None, files.stored)


def test_a_part_of_a_model_is_named_as_in_the_file(tmp_path: Path, state: State) -> None:
    tower = {key: tensor for key, tensor in state.items() if key.startswith("audio_encoder.")}
    torch.save({"state_dict": under("model.", tower)}, tmp_path / "x.pt")
    files = WeightFiles([tmp_path / "x.pt"])
    with pytest.raises(UserError, match=r"and hold state_dict\.model\.audio_encoder\."):
        infer_architecture(files.shapes, {}, None, files.stored)


def test_a_wrapped_file_that_runs_code_does_not_run(tmp_path: Path, state: State) -> None:
    torch.save({"model": state, "ema": {"x": Attack(tmp_path / "ran")}}, tmp_path / "x.ckpt")
    with pytest.raises(UserError, match=r"holds more than tensors: it wants to run .*--allow-pickle"):
        WeightFiles([tmp_path / "x.ckpt"])
    assert not (tmp_path / "ran").exists()


def test_a_mapping_that_holds_itself(tmp_path: Path, architecture: Architecture, state: State) -> None:
    payload: dict[str, Any] = {"model": state}
    payload["again"] = payload
    torch.save(payload, tmp_path / "x.pt")
    assert_same(tmp_path / "x.pt", architecture, state)


def test_hidden_files_and_optimizers_are_no_weights(tmp_path: Path, state: State) -> None:
    torch.save(state, tmp_path / "gram.pt")
    for name in ("._gram.pt", ".gram.pt.swp.pt", "bf16_zero_pp_rank_0_mp_rank_00_optim_states.pt", "optimizer.bin"):
        (tmp_path / name).write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X        ")
    assert find_checkpoint(tmp_path).weights == (tmp_path / "gram.pt",)
    (tmp_path / "gram.pt").rename(tmp_path / "model_step_7.ckpt")
    (tmp_path / "._model_step_9.ckpt").write_bytes(b"")
    assert find_checkpoint(tmp_path).step == 7


OWN = (
    "contra_temp", "contra_head_t.linear.weight", "vision_encoder.visual.cls_token", "audio_encoder.layer_norm.bias",
    "multimodal_encoder.bert.encoder.layer.0.output.dense.bias", "itm_head.linear1.weight", "vision_frame_embedding",
)  # fmt: skip
WRAPPERS = ("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_forward_module", "module", "_module")
words = st.sampled_from((*WRAPPERS, "model", "net", "student", "encoder", "x1"))
entries = st.sampled_from(("model", "state_dict", "module", "params", "net", "ema", "weights", "0"))


@given(
    names=st.lists(st.sampled_from(OWN), min_size=1, unique=True),
    prefix=st.lists(words, max_size=4),
    nesting=st.lists(entries, max_size=4),
    inside=st.lists(st.tuples(st.sampled_from(WRAPPERS), st.integers(1, 3)), max_size=3),
)
@settings(deadline=None, max_examples=300)
def test_any_nesting_gives_the_names_back(
    names: list[str], prefix: list[str], nesting: list[str], inside: list[tuple[str, int]]
) -> None:
    payload: dict[str, Any] = {}
    for number, name in enumerate(names):
        segments = name.split(".")
        for wrapper, at in inside:
            segments.insert(min(at, len(segments) - 1), wrapper)
        payload[".".join((*prefix, *segments))] = torch.full((2,), float(number))
    for entry in nesting:
        payload = {"step": 3, entry: payload, "optimizer": {"state": payload}}
    tensors = tensors_in(payload)
    found = unwrap({key: tuple(tensor.shape) for key, tensor in tensors.items()}, Path("x.pt"))
    assert [name for name, _ in found.names] == names
    assert [int(tensors[key][0]) for _, key in found.names] == list(range(len(names)))
    assert bool(found.remarks) == bool(prefix or nesting or inside)


@given(st.sampled_from(["vision_encoder", "audio_encoder", "multimodal_encoder"]), st.sets(st.text("abc.", min_size=1)))
def test_a_first_segment_of_the_model_s_own_stays(own: str, rest: set[str]) -> None:
    names = [f"{own}.{one}" for one in sorted(rest)]
    found = unwrap({(name,): (2,) for name in names}, Path("x.pt"))
    assert [name for name, _ in found.names] == names and not found.remarks
