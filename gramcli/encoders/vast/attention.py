"""Attention over heads, as all towers use it."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own name for it


def split_heads(x: Tensor, heads: int) -> Tensor:
    """Part each token into heads.

    Args:
        x: Tokens, shape [N, L, W], W divisible by `heads`.
        heads: Number of heads.

    Returns:
        Shape [N, heads, L, W / heads].

    Example:
        >>> import torch
        >>> split_heads(torch.zeros(2, 5, 12), 3).shape
        torch.Size([2, 3, 5, 4])
    """
    return x.view(*x.shape[:-1], heads, x.shape[-1] // heads).transpose(1, 2)


def attend(queries: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None = None) -> Tensor:
    """Scaled dot-product attention, heads joined again.

    Args:
        queries: Shape [N, heads, L, h].
        keys: Shape [N, heads, K, h].
        values: As the keys.
        bias: Added to the scaled logits, broadcast to [N, heads, L, K]; None for nothing.

    Returns:
        Shape [N, L, heads * h].

    Example:
        >>> import torch
        >>> x = torch.ones(1, 2, 3, 4)
        >>> attend(x, x, x).shape
        torch.Size([1, 3, 8])
    """
    mixed = F.scaled_dot_product_attention(queries, keys, values, attn_mask=bias)
    return mixed.transpose(1, 2).flatten(2)
