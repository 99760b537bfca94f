"""When compiled code runs, and that nothing breaks where it cannot."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
import torch

from gramcli.methods.linalg import KERNELS
from gramcli.scoring.compiled import loading


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    loading._kernels.cache_clear()
    yield
    loading._kernels.cache_clear()


def test_little_work_loads_nothing() -> None:
    assert not loading.ready(loading.WORTH_LOADING - 1)
    assert loading._kernels.cache_info().currsize == 0


def test_small_work_is_welcome_once_loaded() -> None:
    pytest.importorskip("numba")
    assert loading.ready(loading.WORTH_LOADING)
    assert loading.ready(loading.WORTH_LOADING - 1)


@pytest.mark.parametrize("module", ["numba.core", "gramcli.scoring.compiled.exact"])
def test_without_numba_the_answer_is_no(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    for name in (module, "gramcli.scoring.compiled.exact"):
        monkeypatch.setitem(sys.modules, name, None)
    if module.endswith("exact"):
        monkeypatch.delattr(sys.modules["gramcli.scoring.compiled"], "exact", raising=False)
    assert not loading.ready(1 << 40)
    with loading.accelerated(1 << 40, torch.device("cpu")) as compiled:
        assert not compiled
        assert KERNELS.get() is None


def test_jit_switched_off_means_no(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    assert not loading.ready(1 << 40)


def test_other_devices_and_whoever_comes_after_get_torch() -> None:
    with loading.accelerated(1 << 40, torch.device("cuda")) as compiled:
        assert not compiled
    with pytest.raises(KeyError), loading.accelerated(1 << 40, torch.device("cpu")):
        raise KeyError
    assert KERNELS.get() is None


def test_a_folder_that_cannot_be_written_costs_the_cache_only(monkeypatch: pytest.MonkeyPatch) -> None:
    building = pytest.importorskip("gramcli.scoring.compiled.building")
    real = building.numba.njit

    def njit(**options: object) -> object:
        if options.pop("cache", False):
            raise RuntimeError("cannot cache function 'double': no locator available for file 'exact.py'")
        return real(**options)

    monkeypatch.setattr(building.numba, "njit", njit)
    assert building.kernel(lambda x: x + x)(2.0) == 4.0


def test_what_goes_wrong_while_compiling_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    exact = pytest.importorskip("gramcli.scoring.compiled.exact")

    def full() -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(exact, "warm_up", full)
    assert not loading.ready(1 << 40)
