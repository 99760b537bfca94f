"""Towers for which there are no reference checkpoints: keys, shapes, slow formulas, a few numbers of others' code."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from gramcli.encoders.vast.architecture import AudioConfig, UnusedTextConfig, VisionConfig
from gramcli.encoders.vast.audio import PositionConvolution, relative_buckets
from gramcli.encoders.vast.eva02 import RotaryPositions
from gramcli.encoders.vast.vision import vision_model

EVA02 = VisionConfig("eva02", width=24, layers=2, heads=3, mlp_hidden=20, patch_size=4, resolution=12, embed_dim=10)
CLIP = VisionConfig(
    "clip", width=24, layers=2, heads=3, mlp_hidden=96, patch_size=4, resolution=12, embed_dim=10, layer_norm_eps=1e-5
)
TEXT = UnusedTextConfig(context_length=7, vocab_size=11, width=8, layers=1)
EVA02_FIRST = "cls_token pos_embed patch_embed.proj.weight patch_embed.proj.bias rope.freqs_cos rope.freqs_sin"
EVA02_BLOCK = (
    "norm1.weight norm1.bias attn.q_bias attn.v_bias attn.q_proj.weight attn.k_proj.weight attn.v_proj.weight "
    "attn.inner_attn_ln.weight attn.inner_attn_ln.bias attn.proj.weight attn.proj.bias attn.rope.freqs_cos "
    "attn.rope.freqs_sin norm2.weight norm2.bias mlp.w1.weight mlp.w1.bias mlp.w2.weight mlp.w2.bias "
    "mlp.ffn_ln.weight mlp.ffn_ln.bias mlp.w3.weight mlp.w3.bias"
)
CLIP_BLOCK = (
    "ln_1.weight ln_1.bias attn.in_proj_weight attn.in_proj_bias attn.out_proj.weight attn.out_proj.bias ln_2.weight "
    "ln_2.bias mlp.c_fc.weight mlp.c_fc.bias mlp.c_proj.weight mlp.c_proj.bias"
)

# What the authors' own towers make of the weights and frames of `waves`, in float64: ispamm/GRAM at b70c5c2
# (model/vision_encoders, return_all_features=True; the CLIP and EVA-CLIP code of VAST is the same), torch 2.13.0.
# transformers 5.24.0 (CLIPVisionModel, its post_layernorm over all tokens) and timm 1.0.31 (Eva) agree to 1e-13.
# Four channels of the class token, the first and the last patch of the second frame; a sum over all tokens.
OFFICIAL = [
    (
        EVA02,
        [
            [-1.3822709, 1.187926, 1.584951, 0.5463114],
            [-1.9099563, 1.5557096, 1.2536711, 1.579108],
            [-1.1965778, 0.6675586, 1.7402527, 1.548621],
        ],
        -14.537835,
    ),
    (
        replace(EVA02, resolution=64),  # the grid of 16 patches a side that the rotation was trained on
        [
            [-1.7386364, 1.0405041, 1.5109283, 0.7173799],
            [-1.9434484, 1.7014066, 1.181504, 0.4854829],
            [-1.4250496, 0.4868806, 1.1335978, 1.0413354],
        ],
        -67.631208,
    ),
    (
        CLIP,
        [
            [1.1390791, 0.7605867, 0.5067553, 1.3864875],
            [1.5941093, 0.2600737, 0.8762347, 0.9446026],
            [1.5193511, 0.7285314, 0.2937147, 0.9663399],
        ],
        -12.426214,
    ),
    (
        replace(CLIP, resolution=64),
        [
            [1.4726071, 1.2802665, 0.1857156, 0.4886085],
            [1.5550344, 0.5303261, 0.451833, 1.2938711],
            [1.4716727, 1.646212, 0.1008382, 0.8050206],
        ],
        -33.016702,
    ),
]

Tensors = dict[str, Tensor]


def random_model(config: VisionConfig, text: UnusedTextConfig | None = None) -> torch.nn.Module:
    """A model whose every parameter is drawn, the rotary tables kept."""
    model = vision_model(config, text).eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(1)
    for name, parameter in model.named_parameters():
        parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3 + (1.0 if "norm" in name else 0.0))
    return model


def frames(config: VisionConfig) -> Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.randn(2, 3, config.resolution, config.resolution, generator=generator)


def waves(shape: torch.Size, start: float) -> Tensor:
    """Numbers that any machine makes alike, unlike random ones."""
    return torch.sin(start + 0.7 * torch.arange(shape.numel(), dtype=torch.float64) ** 2).view(shape)


def linear(x: Tensor, w: Tensors, name: str) -> Tensor:
    bias = w.get(f"{name}.bias")
    out = x @ w[f"{name}.weight"].T
    return out if bias is None else out + bias


def norm(x: Tensor, w: Tensors, name: str, eps: float) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    scaled = centred / (centred.square().mean(-1, keepdim=True) + eps).sqrt()
    return scaled * w[f"{name}.weight"] + w[f"{name}.bias"]


def slow_attention(queries: Tensor, keys: Tensor, values: Tensor, heads: int) -> Tensor:
    """Attention of one sample, query by query; [P, V] -> [P, V]."""
    out = torch.zeros_like(queries)
    size = queries.shape[1] // heads
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        for i in range(len(queries)):
            logits = torch.stack([queries[i, part] @ key[part] / math.sqrt(size) for key in keys])
            weights = (logits - logits.max()).exp()
            out[i, part] = (weights / weights.sum()) @ values[:, part]
    return out


def slow_patches(pixels: Tensor, weight: Tensor, size: int) -> Tensor:
    """Project the patches of one frame, row by row; [3, R, R] -> [P - 1, V]."""
    grid = pixels.shape[-1] // size
    cut = [
        pixels[:, size * row : size * (row + 1), size * column : size * (column + 1)].flatten()
        for row in range(grid)
        for column in range(grid)
    ]
    return torch.stack(cut) @ weight.flatten(1).T


def slow_rotation(x: Tensor, heads: int, grid: int) -> Tensor:
    """Turn each pair of channels of the patches as a complex number; [P, V] -> [P, V]."""
    size = x.shape[1] // heads
    out = x.clone()
    for token in range(1, len(x)):
        row, column = divmod(token - 1, grid)
        for pair in range(size // 2):
            place = row if pair < size // 4 else column
            rate = 10000.0 ** (-2.0 * (pair % (size // 4)) / (size // 2))
            turn = complex(math.cos(place / grid * 16 * rate), math.sin(place / grid * 16 * rate))
            for head in range(heads):
                k = head * size + 2 * pair
                turned = complex(float(x[token, k]), float(x[token, k + 1])) * turn
                out[token, k], out[token, k + 1] = turned.real, turned.imag
    return out


def slow_eva02(w: Tensors, pixels: Tensor, config: VisionConfig) -> Tensor:
    eps, heads, grid = config.layer_norm_eps, config.heads, config.resolution // config.patch_size
    patches = slow_patches(pixels, w["patch_embed.proj.weight"], config.patch_size) + w["patch_embed.proj.bias"]
    x = torch.cat([w["cls_token"][0], patches]) + w["pos_embed"][0]
    for k in range(config.layers):
        block = f"blocks.{k}"
        y = norm(x, w, f"{block}.norm1", eps)
        queries = linear(y, w, f"{block}.attn.q_proj") + w[f"{block}.attn.q_bias"]
        keys = linear(y, w, f"{block}.attn.k_proj")
        values = linear(y, w, f"{block}.attn.v_proj") + w[f"{block}.attn.v_bias"]
        mixed = slow_attention(slow_rotation(queries, heads, grid), slow_rotation(keys, heads, grid), values, heads)
        x = x + linear(norm(mixed, w, f"{block}.attn.inner_attn_ln", eps), w, f"{block}.attn.proj")
        y = norm(x, w, f"{block}.norm2", eps)
        gate = linear(y, w, f"{block}.mlp.w1")
        hidden = gate / (1 + (-gate).exp()) * linear(y, w, f"{block}.mlp.w2")
        x = x + linear(norm(hidden, w, f"{block}.mlp.ffn_ln", eps), w, f"{block}.mlp.w3")
    return norm(x, w, "norm", eps)


def slow_clip(w: Tensors, pixels: Tensor, config: VisionConfig) -> Tensor:
    eps = config.layer_norm_eps
    patches = slow_patches(pixels, w["conv1.weight"], config.patch_size)
    x = torch.cat([w["class_embedding"].unsqueeze(0), patches]) + w["positional_embedding"]
    x = norm(x, w, "ln_pre", eps)
    for k in range(config.layers):
        block = f"transformer.resblocks.{k}"
        y = norm(x, w, f"{block}.ln_1", eps)
        packed = y @ w[f"{block}.attn.in_proj_weight"].T + w[f"{block}.attn.in_proj_bias"]
        queries, keys, values = packed.chunk(3, dim=-1)
        x = x + linear(slow_attention(queries, keys, values, config.heads), w, f"{block}.attn.out_proj")
        hidden = linear(norm(x, w, f"{block}.ln_2", eps), w, f"{block}.mlp.c_fc")
        x = x + linear(hidden / (1 + (-1.702 * hidden).exp()), w, f"{block}.mlp.c_proj")
    return norm(x, w, "ln_post", eps)


@pytest.mark.parametrize(("config", "slow"), [(EVA02, slow_eva02), (CLIP, slow_clip)])
def test_towers_against_a_slow_formula_in_float64(config: VisionConfig, slow) -> None:
    model = random_model(config)
    pixels = frames(config)
    tokens = model.visual(pixels)
    assert tokens.shape == (2, config.tokens, config.width)
    weights = {name: x.double() for name, x in model.visual.state_dict().items()}
    for found, frame in zip(tokens, pixels, strict=True):
        torch.testing.assert_close(found.double(), slow(weights, frame.double(), config), atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize(("config", "expected", "total"), OFFICIAL)
def test_towers_against_numbers_of_the_authors_code(config: VisionConfig, expected: list, total: float) -> None:
    visual = vision_model(config, None).visual.double().eval().requires_grad_(False)
    for k, (name, parameter) in enumerate(sorted(visual.named_parameters())):
        parameter.copy_(0.3 * waves(parameter.shape, k) + (1.0 if "norm" in name or "ln" in name else 0.0))
    tokens = visual(waves(torch.Size([2, 3, config.resolution, config.resolution]), 0.5))
    found = tokens[1, [0, 1, -1], :4]
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), atol=1e-6, rtol=0)
    assert float((tokens * waves(tokens.shape, 1.0)).sum()) == pytest.approx(total, abs=1e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("config", [EVA02, CLIP])
def test_towers_in_half_precision(config: VisionConfig, dtype: torch.dtype) -> None:
    expected = random_model(config).visual(frames(config))
    found = random_model(config).to(dtype).visual(frames(config))
    assert found.dtype == dtype
    assert float(F.cosine_similarity(found.float(), expected, dim=-1).min()) > 0.99


def test_keys_of_eva02() -> None:
    """As the public EVA-CLIP code names them, the rotary tables once for the tower and once for every block."""
    visual = [
        *EVA02_FIRST.split(),
        *(f"blocks.{k}.{name}" for k in range(EVA02.layers) for name in EVA02_BLOCK.split()),
        *("norm.weight", "norm.bias", "head.weight", "head.bias"),
    ]
    text = [
        *("positional_embedding", "text_projection", "token_embedding.weight"),
        *(f"transformer.resblocks.0.{name}" for name in CLIP_BLOCK.split()),
        *("ln_final.weight", "ln_final.bias"),
    ]
    expected = ["logit_scale", *(f"visual.{name}" for name in visual), *(f"text.{name}" for name in text)]
    state = vision_model(EVA02, TEXT).state_dict()
    assert list(state) == expected
    assert state["visual.rope.freqs_cos"].shape == (9, 8)  # patches, head width
    assert len({x.data_ptr() for name, x in state.items() if name.endswith("freqs_sin")}) == 1


def test_keys_of_clip() -> None:
    """As the family's CLIP names them: the text tower beside `visual`, with a prompt embedding that CLIP lacks."""
    block = CLIP_BLOCK.split()
    visual = {"class_embedding", "positional_embedding", "proj", "conv1.weight"}
    visual |= {f"{name}.{kind}" for name in ("ln_pre", "ln_post") for kind in ("weight", "bias")}
    visual |= {f"transformer.resblocks.{k}.{name}" for k in range(CLIP.layers) for name in block}
    expected = {"positional_embedding", "text_projection", "logit_scale", "token_embedding.weight"}
    expected |= {"ln_final.weight", "ln_final.bias", "prompt_embedding.weight"}
    expected |= {f"transformer.resblocks.0.{name}" for name in block} | {f"visual.{name}" for name in visual}
    state = vision_model(CLIP, TEXT).state_dict()
    assert set(state) == expected
    assert state["visual.proj"].shape == (24, 10)
    assert state["prompt_embedding.weight"].shape == (1, 8)


@pytest.mark.parametrize("config", [EVA02, CLIP])
def test_no_text_tower_where_the_checkpoint_has_none(config: VisionConfig) -> None:
    keys = vision_model(config, None).state_dict()
    assert {name.split(".")[0] for name in keys} == {"logit_scale", "visual"}


@pytest.mark.parametrize("grid", [3, 16, 24])
def test_rotation_keeps_lengths_and_depends_on_distance_only(grid: int) -> None:
    rope = RotaryPositions(8, grid)
    q, k = torch.randn(2, 8, generator=torch.Generator().manual_seed(3))
    tokens = 1 + grid * grid
    queries, keys = rope(q.expand(1, 1, tokens, 8))[0, 0], rope(k.expand(1, 1, tokens, 8))[0, 0]
    torch.testing.assert_close(queries.norm(dim=-1), q.norm().expand(tokens))
    assert torch.equal(queries[0], q)  # the class token
    products = (queries[1:] @ keys[1:].T).view(grid, grid, grid, grid)
    torch.testing.assert_close(products[1:, 1:, 1:, 1:], products[:-1, :-1, :-1, :-1], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("buckets", "furthest"), [(320, 800), (32, 50), (16, 32)])
def test_buckets_against_the_rule_in_words(buckets: int, furthest: int) -> None:
    half, exact = buckets // 2, buckets // 4
    found = relative_buckets(torch.arange(-1000, 1001), buckets, furthest).tolist()
    for distance, bucket in zip(range(-1000, 1001), found, strict=True):
        size = abs(distance)
        growth = math.log(max(size, 1) / exact) / math.log(furthest / exact) * (half - exact)
        expected = size if size < exact else min(exact + int(growth + 1e-5), half - 1)
        assert bucket in {expected + half * (distance > 0), expected + half * (distance > 0) - (growth % 1 < 1e-4)}


@pytest.mark.parametrize("kernel", [5, 6])
def test_position_convolution_is_torchs_weight_norm(kernel: int) -> None:
    """The official module under torch's own deprecated weight norm, which names its parameters like ours."""
    config = AudioConfig(8, 1, 2, 16, 8, 4, kernel, 2, num_buckets=8, max_distance=16, mel_bins=8, target_length=16)
    with pytest.warns(FutureWarning, match="weight_norm"):
        official = torch.nn.utils.weight_norm(torch.nn.Conv1d(8, 8, kernel, padding=kernel // 2, groups=2), dim=2)
    ours = PositionConvolution(config)
    official.weight_g.data.mul_(torch.linspace(0.5, 2.0, kernel))
    ours.load_state_dict(official.state_dict())
    assert list(ours.state_dict()) == list(official.state_dict())
    x = torch.randn(2, 8, 11, generator=torch.Generator().manual_seed(4))
    torch.testing.assert_close(ours(x), official(x)[..., :11])
