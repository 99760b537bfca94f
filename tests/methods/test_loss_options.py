"""What the losses refuse, in words that name the culprit and the rule."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from gramcli.errors import UserError
from gramcli.methods import METHODS, get_method
from gramcli.methods.singular import leading
from tests.methods.textbook import LOSSES, unit_rows

NAMES = tuple(METHODS.names())
CONTRASTIVE = [name for name in NAMES if name not in ("pmrl", "symile")]


def loss(method: str, rows: dict[str, Tensor] | None = None, **options: Any) -> Tensor:
    return get_method(method).loss(unit_rows(3, 4, 6) if rows is None else rows, **options)


@pytest.mark.parametrize("method", NAMES)
def test_unknown_options(method: str) -> None:
    with pytest.raises(
        UserError, match=f"The loss of {method} takes no 'temperatur': leave it out. Did you mean 'temperature'?"
    ) as e:
        loss(method, temperatur=0.1)
    assert e.value.kind == "usage"


def test_options_that_mean_nothing_to_a_method() -> None:
    for method, option in (("pmrl", "anchor"), ("pmrl", "label_smoothing"), ("symile", "label_smoothing")):
        with pytest.raises(UserError, match=f"The loss of {method} takes no '{option}'"):
            loss(method, **{option: 0.0})
    for method in (*CONTRASTIVE, "symile"):
        with pytest.raises(UserError, match="takes no 'regulariser_temperature'"):
            loss(method, regulariser_temperature=0.1)


@pytest.mark.parametrize("method", [*CONTRASTIVE, "symile"])
def test_unknown_anchor(method: str) -> None:
    with pytest.raises(
        UserError, match=r"no modality 'vido' to be the anchor\. Did you mean 'video'\?.*text, video, audio"
    ):
        loss(method, anchor="vido")


@pytest.mark.parametrize("method", NAMES)
def test_fewer_than_two_modalities(method: str) -> None:
    with pytest.raises(UserError, match="at least two modalities; got text"):
        loss(method, unit_rows(1, 4, 6))
    with pytest.raises(UserError, match="at least two modalities; got none"):
        loss(method, {})


@pytest.mark.parametrize("method", NAMES)
@pytest.mark.parametrize(
    ("video", "message"),
    [
        (torch.zeros(5, 6), r"'video' is \[5, 6\] beside \[4, 6\]"),
        (torch.zeros(4, 7), r"'video' is \[4, 7\] beside \[4, 6\]"),
        (torch.zeros(6), r"'video' is \[6\] beside \[4, 6\]"),
        (torch.zeros(4, 6, dtype=torch.float64), "'video' is torch.float64 on cpu beside torch.float32"),
        (torch.zeros(4, 6, dtype=torch.int64), "'video' is torch.int64 on cpu beside torch.float32"),
        (torch.zeros(4, 6, dtype=torch.bfloat16), "'video' is torch.bfloat16 on cpu beside torch.float32"),
    ],
)
def test_rows_that_do_not_fit(method: str, video: Tensor, message: str) -> None:
    with pytest.raises(UserError, match=message) as e:
        loss(method, unit_rows(3, 4, 6, dtype=torch.float32) | {"video": video})
    assert e.value.kind == "embedding"


@pytest.mark.parametrize("method", NAMES)
def test_an_empty_batch(method: str) -> None:
    with pytest.raises(UserError, match="B at least 1"):
        loss(method, dict.fromkeys(("text", "video", "audio"), torch.zeros(0, 6)))


@pytest.mark.parametrize("method", NAMES)
@pytest.mark.parametrize("value", [0.0, -0.07, float("nan"), float("inf"), torch.tensor(0.0), torch.tensor([-1.0])])
def test_temperatures_that_are_not_above_zero(method: str, value: float | Tensor) -> None:
    with pytest.raises(UserError, match="A temperature must be above 0 and finite; got"):
        loss(method, temperature=value)


@pytest.mark.parametrize("method", NAMES)
def test_a_temperature_is_one_number(method: str) -> None:
    with pytest.raises(UserError, match=r"A temperature is one number; got a tensor \[2\]"):
        loss(method, temperature=torch.ones(2))


def test_pmrl_s_second_temperature() -> None:
    with pytest.raises(UserError, match="A temperature must be above 0"):
        loss("pmrl", regulariser_temperature=0.0)
    assert loss("pmrl", regulariser_temperature=0.1) == loss("pmrl")
    assert loss("pmrl", regulariser_temperature=1.0) != loss("pmrl")


@pytest.mark.parametrize("method", NAMES)
def test_temperatures_may_be_numbers_or_tensors(method: str) -> None:
    found = [
        loss(method, temperature=value, generator=torch.Generator().manual_seed(0))
        for value in (0.2, torch.tensor(0.2, dtype=torch.float64), torch.tensor([0.2], dtype=torch.float64))
    ]
    assert [x.shape for x in found] == [()] * 3
    assert found[0].item() == pytest.approx(found[1].item(), rel=1e-12) == pytest.approx(found[2].item(), rel=1e-12)


@pytest.mark.parametrize("method", CONTRASTIVE)
@pytest.mark.parametrize("value", [1.0, -0.1, float("nan")])
def test_label_smoothing(method: str, value: float) -> None:
    with pytest.raises(UserError, match="label_smoothing must be at least 0 and below 1; got"):
        loss(method, label_smoothing=value)


@pytest.mark.parametrize("m", [2, 4])
def test_a_triangle_has_three_corners(m: int) -> None:
    with pytest.raises(UserError, match=f"triangle takes exactly 3 modalities; got {m}"):
        loss("triangle", unit_rows(m, 4, 6))


@pytest.mark.parametrize("method", ["gram", "span"])
def test_volumes_need_as_many_dimensions(method: str) -> None:
    assert loss(method, unit_rows(3, 4, 3)).isfinite()
    with pytest.raises(UserError, match=f"{method} .*always"):
        loss(method, unit_rows(3, 4, 2))


@pytest.mark.parametrize("method", NAMES)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"present": {"depth": torch.ones(4, dtype=torch.bool)}}, "present has 'depth', which was not embedded"),
        ({"present": {"audio": torch.ones(5, dtype=torch.bool)}}, r"present\['audio'\] must be \[4\] bool; got \[5\]"),
        ({"present": {"audio": torch.ones(4)}}, r"present\['audio'\] must be \[4\] bool; got \[4\] torch.float32"),
        ({"groups": torch.zeros(5, dtype=torch.int64)}, r"groups must be \[4\] int64; got \[5\]"),
        ({"groups": torch.zeros(4)}, r"groups must be \[4\] int64; got \[4\] torch.float32"),
    ],
)
def test_masks_and_groups_that_do_not_fit(method: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        loss(method, **options)


@pytest.mark.parametrize("method", LOSSES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_loss_is_a_scalar_of_the_rows_type(method: str, dtype: torch.dtype) -> None:
    rows = unit_rows(3, 4, 6, dtype=dtype)
    found = loss(method, rows, generator=torch.Generator().manual_seed(0))
    assert (found.shape, found.dtype) == ((), dtype)
    exact = loss(method, {k: x.detach().double() for k, x in rows.items()}, generator=torch.Generator().manual_seed(0))
    assert found.item() == pytest.approx(exact.item(), abs=1e-5)


@pytest.mark.parametrize("method", LOSSES)
def test_rows_and_masks_are_left_as_they_are(method: str) -> None:
    rows = unit_rows(3, 4, 6)
    present = {"audio": torch.tensor([True, False, True, True])}
    groups = torch.tensor([0, 1, 1, 2])
    before = {name: x.detach().clone() for name, x in rows.items()}
    loss(method, rows, present=present, groups=groups).backward()
    assert all(torch.equal(before[name], x.detach()) for name, x in rows.items())
    assert present["audio"].tolist() == [True, False, True, True]
    assert groups.tolist() == [0, 1, 1, 2]


def test_the_sign_of_a_direction_is_no_matter_of_rounding() -> None:
    """Two modalities at a negative cosine have loadings of (1, -1): their sum is 0, whatever float32 makes of it."""
    generator = torch.Generator().manual_seed(0)
    z = torch.nn.functional.normalize(torch.randn(200, 2, 16, generator=generator, dtype=torch.float64), dim=-1)
    z[:, 1] = torch.where((z[:, 0] * z[:, 1]).sum(1, keepdim=True) > 0, -z[:, 1], z[:, 1])
    double, single = leading(z)[1], leading(z.float())[1]
    torch.testing.assert_close(single.double(), double, rtol=0, atol=1e-4)
    assert ((double * z[:, 0]).sum(dim=1) > 0).all()
