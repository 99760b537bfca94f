"""One head per modality into a shared space: standardisation, then a linear map or a small MLP, then unit length."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from gramcli.catalog import did_you_mean
from gramcli.errors import UserError

_FLAT = 1e-6  # a feature that varies by less than this share of its size is constant


@dataclass(frozen=True)
class Heads:
    """Heads of every modality.

    Attributes:
        dims: Modality -> dimension of what its head takes.
        dim: Dimension of the shared space.
        hidden: Width of the hidden layer; 0 is a linear head.
        tensors: `MODALITY/mean` and `/scale` [d], `/weight0` [dim or hidden, d], `/bias0`; of an MLP also `/weight1`
            [dim, hidden], `/bias1`. float32.
    """

    dims: Mapping[str, int]
    dim: int
    hidden: int
    tensors: dict[str, Tensor] = field(repr=False)

    @property
    def modalities(self) -> tuple[str, ...]:
        """What there are heads for."""
        return tuple(self.dims)

    @property
    def trainable(self) -> dict[str, Tensor]:
        """The tensors that learn, always in one order: sums over all of them depend on it in the last digits."""
        learns = ("weight0", "bias0", "weight1", "bias1")
        return {name: self.tensors[name] for name in sorted(self.tensors) if name.rpartition("/")[2] in learns}

    def project(self, modality: str, rows: Tensor, kept: Tensor | None = None) -> Tensor:
        """Map rows to unit rows, with gradients, in float32.

        Args:
            modality: One of `modalities`.
            rows: Shape [n, d].
            kept: Factors of the standardised features, shape [n, d], for dropout; None leaves them alone.

        Returns:
            Shape [n, dim].
        """
        part = {key: self.tensors[f"{modality}/{key}"] for key in self._keys()}
        standard = (rows - part["mean"]) / part["scale"]
        x = functional.linear(standard if kept is None else standard * kept, part["weight0"], part["bias0"])
        if self.hidden:
            x = functional.linear(functional.gelu(x), part["weight1"], part["bias1"])
        return functional.normalize(x, dim=-1)

    def apply(self, modality: str, rows: NDArray[Any]) -> NDArray[np.float32]:
        """Map rows in float64, each by itself: a row does not depend on the others or on the number of threads.

        Args:
            modality: One of `modalities`.
            rows: Shape [n, d].

        Returns:
            Rows of unit length, shape [n, dim]; one that is mapped to zero becomes the first axis.

        Raises:
            UserError: There is no head for the modality, or `rows` do not fit it.
        """
        if modality not in self.dims:
            hint = did_you_mean(modality, self.modalities)
            raise UserError("embedding", f"There is no head for '{modality}'.{hint} Heads: {', '.join(self.dims)}.")
        if rows.ndim != 2 or rows.shape[1] != self.dims[modality]:
            raise UserError(
                "embedding", f"The head of '{modality}' takes [n, {self.dims[modality]}]; got {list(rows.shape)}."
            )
        part = {key: self.tensors[f"{modality}/{key}"].double().cpu().numpy() for key in self._keys()}
        x = _affine((rows.astype(np.float64) - part["mean"]) / part["scale"], part["weight0"], part["bias0"])
        if self.hidden:
            x = _affine(functional.gelu(torch.from_numpy(x)).numpy(), part["weight1"], part["bias1"])
        length = np.sqrt((x * x).sum(axis=1, keepdims=True))
        x = np.where(length > 0, x, np.eye(1, self.dim))
        return np.asarray(x / np.where(length > 0, length, 1.0), dtype=np.float32)

    def _keys(self) -> tuple[str, ...]:
        return ("mean", "scale", "weight0", "bias0", *(("weight1", "bias1") if self.hidden else ()))


def new_heads(rows: Mapping[str, Tensor], dim: int, hidden: int, generator: torch.Generator) -> Heads:
    """Heads that standardise the given rows and map them at random.

    Args:
        rows: Modality -> the embeddings to train on, shape [n, d].
        dim: Dimension of the shared space.
        hidden: Width of the hidden layer, 0 for none.
        generator: Draws the weights (uniform, variance 1 / fan-in; biases start at 0).

    Returns:
        Heads on the CPU.

    Example:
        >>> heads = new_heads({"text": torch.eye(4)}, 3, 0, torch.Generator())
        >>> heads.project("text", torch.eye(4)).shape
        torch.Size([4, 3])
    """
    tensors: dict[str, Tensor] = {}
    for modality, found in rows.items():
        mean, scale = found.double().mean(dim=0), found.double().std(dim=0, correction=0)
        flat = scale <= _FLAT * found.double().abs().amax(dim=0)
        tensors[f"{modality}/mean"] = mean.float()
        tensors[f"{modality}/scale"] = torch.where(flat, 1.0, scale).float()
        widths = [found.shape[1], *([hidden] if hidden else []), dim]
        for layer, (fan_in, fan_out) in enumerate(pairwise(widths)):
            drawn = torch.rand(fan_out, fan_in, generator=generator) * 2 - 1
            tensors[f"{modality}/weight{layer}"] = drawn * math.sqrt(3.0 / fan_in)
            tensors[f"{modality}/bias{layer}"] = torch.zeros(fan_out)
    return Heads({name: found.shape[1] for name, found in rows.items()}, dim, hidden, tensors)


def _affine(x: NDArray[np.float64], weight: NDArray[np.float64], bias: NDArray[np.float64]) -> NDArray[np.float64]:
    # einsum, not BLAS, whose order of summation depends on the number of rows and threads.
    return np.asarray(np.einsum("nd,kd->nk", x, weight) + bias)
