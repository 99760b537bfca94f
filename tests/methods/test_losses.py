"""Values and gradients of the training losses: the authors' code's, and plain loops' for any batch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import Tensor

from gramcli.methods import get_method
from gramcli.methods.pmrl import alignment_loss, directions_loss
from gramcli.methods.singular import leading
from tests.methods.textbook import LOSSES, Case, textbook_loss, unit_rows
from tests.vectors import NAMES

DTYPES = {"f64": torch.float64, "f32": torch.float32}
SHAPES = [(B, d, k) for B in (4, 17) for d in (8, 64) for k in (2, 3, 4, 5)]
LETTERS = "tvasd"


class Golden:
    """One case of the stored outputs of the authors' code."""

    def __init__(self, folder: Path, shape: tuple[int, int, int], kind: str) -> None:
        B, d, k = shape
        self._stored = load_file(folder / "golden" / "losses.safetensors")
        self._case, self._kind, self._letters = f"B{B}.d{d}.k{k}.", kind, LETTERS[:k]

    def rows(self) -> dict[str, Tensor]:
        """The inputs, leaves of the graph."""
        dtype = DTYPES[self._kind]
        return {x: self._stored[f"{self._case}x_{x}"].to(dtype).clone().requires_grad_() for x in self._letters}

    def result(self, key: str) -> Tensor:
        """A stored result."""
        return self._stored[f"{self._case}{self._kind}.{key}"]

    def check(self, value: Tensor, key: str, single: float = 1e-5) -> None:
        """Compare with the stored result, to 1e-9 in float64 and to `single` in float32."""
        atol = 1e-9 if self._kind == "f64" else single
        torch.testing.assert_close(value, self.result(key).to(value).reshape(value.shape), rtol=0, atol=atol)

    def check_gradients(self, rows: dict[str, Tensor], key: str, single: float = 1e-5) -> None:
        """Compare all gradients with the stored ones."""
        for letter, row in rows.items():
            self.check(gradient_of(row), f"{key}_{letter}", single)
            row.grad = None


def gradient_of(x: Tensor) -> Tensor:
    assert x.grad is not None
    return x.grad


@pytest.mark.parametrize("kind", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("method", ["gram", "triangle:squared=true"])
def test_contrastive_losses_are_the_authors(
    method: str, shape: tuple[int, int, int], kind: str, reference_data: Path
) -> None:
    key = method.partition(":")[0]
    if key == "triangle" and shape[2] != 3:
        return
    golden = Golden(reference_data, shape, kind)
    for detach, gradients in ((False, "full"), (True, "official")):
        rows = golden.rows()
        temperature = torch.tensor([0.07], dtype=DTYPES[kind], requires_grad=True)
        loss = get_method(method).loss(rows, anchor="t", temperature=temperature, detach_gathered=detach)
        loss.backward()
        golden.check(loss, f"{key}_loss")
        golden.check_gradients(rows, f"{key}_grad_{gradients}")
        golden.check(gradient_of(temperature), f"{key}_grad_temp", single=1e-4)


@pytest.mark.parametrize("kind", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_pmrl_terms_are_the_authors(shape: tuple[int, int, int], kind: str, reference_data: Path) -> None:
    B, _, k = shape
    golden = Golden(reference_data, shape, kind)
    rows = golden.rows()
    sigma, u = leading(torch.stack(list(rows.values()), dim=1))
    golden.check(sigma, "pmrl_singular_values")
    intra = alignment_loss(sigma, torch.full((B,), k), 0.05).mean()
    golden.check(intra, "pmrl_intra")
    intra.backward(retain_graph=True)
    golden.check_gradients(rows, "pmrl_intra_grad")
    everyone = torch.arange(B)
    principal = golden.result("pmrl_principal").to(u.dtype)
    for key, towards in (("pmrl_inter_oriented", rows["t"].detach()), ("pmrl_inter", principal)):
        turned = u * torch.sign((u.detach() * towards).sum(dim=1, keepdim=True))
        inter = directions_loss(turned, turned, everyone, everyone, 0.1).mean()
        golden.check(inter, key)
        inter.backward(retain_graph=True)
        golden.check_gradients(rows, f"{key}_grad", single=1e-4)
    golden.check(turned, "pmrl_principal")


@pytest.mark.parametrize("shape", SHAPES)
def test_pmrl_is_its_two_terms(shape: tuple[int, int, int], reference_data: Path) -> None:
    golden = Golden(reference_data, shape, "f64")
    loss = get_method("pmrl").loss(golden.rows(), temperature=0.05)
    inter = loss - golden.result("pmrl_intra")
    u = leading(torch.stack(list(golden.rows().values()), dim=1))[1]
    assert inter.item() == pytest.approx(
        torch.nn.functional.cross_entropy(u @ u.T / 0.1, torch.arange(len(u))).item(), abs=1e-12
    )


def options_of(method: str, case: Case) -> dict[str, Any]:
    """The case as options of the loss."""
    options: dict[str, Any] = {"temperature": case.temperature}
    if method == "symile":
        options["generator"] = torch.Generator().manual_seed(case.seed)
    if method != "pmrl":
        options["anchor"] = case.anchor
    if method not in ("pmrl", "symile"):
        options["label_smoothing"] = case.smoothing
    return options | {"present": case.present or None, "groups": case.groups}


def check_against_textbook(method: str, case: Case) -> None:
    """Value and gradients, to 1e-7 of the largest."""
    leaves = list(case.rows.values())
    expected = textbook_loss(method, case)
    loss = get_method(method).loss(case.rows, **options_of(method, case))
    torch.testing.assert_close(loss, expected.double(), rtol=1e-8, atol=1e-9)
    wanted: list[Tensor] = [torch.zeros_like(x) for x in leaves]
    if expected.requires_grad:
        found = torch.autograd.grad(expected, leaves, allow_unused=True)
        wanted = [zero if one is None else one for one, zero in zip(found, wanted, strict=True)]
    for one, two in zip(torch.autograd.grad(loss, leaves), wanted, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-6, atol=1e-7 * (1 + two.abs().max().item()))


@st.composite
def cases(draw: st.DrawFn, *, m: int | None = None, masked: bool = False, grouped: bool = False) -> Case:
    """Batches of 1 to 5 items, 2 to 5 modalities and at least one dimension more; NaN where absent."""
    m = draw(st.integers(2, 5)) if m is None else m
    n, seed = draw(st.integers(1, 5)), draw(st.integers(0, 10_000))
    rows = unit_rows(m, n, m + draw(st.integers(1, 6)), seed)
    present = {}
    if masked:
        flags = st.lists(st.booleans(), min_size=n, max_size=n)
        present = {name: torch.tensor(draw(flags)) for name in draw(st.sets(st.sampled_from(list(rows))))}
        for name, mask in present.items():
            rows[name].data[~mask] = float("nan")
    groups = torch.tensor(draw(st.lists(st.integers(0, 2), min_size=n, max_size=n))) if grouped else None
    anchor = draw(st.sampled_from([None, *rows]))
    smoothing, temperature = draw(st.sampled_from([0.0, 0.1, 0.5])), draw(st.sampled_from([0.07, 0.5, 1.0]))
    return Case(rows, present, groups, anchor, temperature, smoothing, seed)


def drawn(data: st.DataObject, method: str, **kinds: bool) -> Case:
    return data.draw(cases(m=3 if method.startswith("triangle") else None, **kinds))


@pytest.mark.parametrize("method", LOSSES)
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_losses_are_the_textbook_s(method: str, data: st.DataObject) -> None:
    check_against_textbook(method, drawn(data, method))


@pytest.mark.parametrize("method", LOSSES)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_only_what_is_present_counts(method: str, data: st.DataObject) -> None:
    check_against_textbook(method, drawn(data, method, masked=True))


@pytest.mark.parametrize("method", LOSSES)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_items_of_a_group_are_no_negatives(method: str, data: st.DataObject) -> None:
    check_against_textbook(method, drawn(data, method, grouped=True))


@pytest.mark.parametrize("method", LOSSES)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_masks_and_groups_together(method: str, data: st.DataObject) -> None:
    check_against_textbook(method, drawn(data, method, masked=True, grouped=True))


@pytest.mark.parametrize("method", LOSSES)
def test_one_group_or_one_item_has_no_negatives(method: str) -> None:
    for n, groups in ((1, None), (4, torch.zeros(4, dtype=torch.int64))):
        case = Case(unit_rows(3, n, 6), groups=groups)
        check_against_textbook(method, case)
        if method != "pmrl":  # its first term needs none
            assert get_method(method).loss(case.rows, **options_of(method, case)).item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("method", LOSSES)
def test_a_modality_that_nobody_has_leaves_the_others(method: str) -> None:
    rows = unit_rows(4, 5, 8)
    case = Case({name: rows[name] for name in NAMES[: 4 if method not in ("triangle", "triangle:squared=true") else 3]})
    absent = torch.zeros(5, dtype=torch.bool)
    masked = Case(case.rows, {"audio": absent})
    check_against_textbook(method, masked)
    if method.startswith(("triangle", "symile")):
        return
    rest = {name: x for name, x in case.rows.items() if name != "audio"}
    loss = get_method(method).loss(case.rows, present={"audio": absent}).item()
    assert loss == pytest.approx(get_method(method).loss(rest).item(), rel=1e-12)


@pytest.mark.parametrize("method", LOSSES)
@pytest.mark.parametrize("detach", [False, True])
def test_nobody_has_anything(method: str, detach: bool) -> None:
    rows = unit_rows(3, 4, 6)
    for x in rows.values():
        x.data[:] = float("nan")
    absent = dict.fromkeys(rows, torch.zeros(4, dtype=torch.bool))
    loss = get_method(method).loss(rows, present=absent, detach_gathered=detach)
    assert loss.item() == 0
    for gradient in torch.autograd.grad(loss, list(rows.values())):
        assert not gradient.any()


@pytest.mark.parametrize("method", LOSSES)
def test_detaching_changes_gradients_only(method: str) -> None:
    case = Case(unit_rows(3, 5, 8))
    plain, detached = (
        get_method(method).loss(case.rows, detach_gathered=detach, **options_of(method, case))
        for detach in (False, True)
    )
    torch.testing.assert_close(plain, detached)
    leaves = list(case.rows.values())
    pairs = zip(torch.autograd.grad(plain, leaves), torch.autograd.grad(detached, leaves), strict=True)
    assert any((one - two).abs().max() > 1e-6 for one, two in pairs)
