"""What loading a full-size GRAM checkpoint costs, and on a GPU what its towers and `gram embed` manage per second.

Run: python benchmarks/bench_checkpoint.py [--folder DIR] [--only load|gpu] [--clips 64]

Builds a checkpoint of the official size (1.37 billion parameters, random weights, 5.6 GB) in DIR, in the layout of the
training code, and loads it in fresh processes. "peak" is the largest resident memory of such a process above what it
held before loading, as a multiple of the loaded weights' own size. The GPU part needs an NVIDIA GPU and says so.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from gramcli.encoders.vast.architecture import Architecture, AudioConfig, TextConfig, UnusedTextConfig, VisionConfig

FULL = Architecture(
    family="gram",
    vision=VisionConfig("eva01", 1408, 40, 16, 6144, patch_size=14, resolution=224, embed_dim=1024),
    vision_text=UnusedTextConfig(77, 49408, 768, 12),
    audio=AudioConfig(768, 12, 12, 3072, 512, 16, 128, 16, 320, 800, mel_bins=64, target_length=1024),
    text=TextConfig(30522, 768, 12, 12, 3072, 512),
    contra_dim=512,
    vision_samples=8,
    audio_samples=1,
    depth=True,
)
CONFIG = {"model_cfg": {"model_type": "gram", "vision_encoder_type": "evaclip01_giant", "audio_encoder_type": "beats"}}


def write_checkpoint(folder: Path) -> Path:
    """Random weights of the official size under the official names."""
    from gramcli.encoders.vast.model import VastModel

    (folder / "log").mkdir(parents=True, exist_ok=True)
    (folder / "ckpt").mkdir(exist_ok=True)
    file = folder / "ckpt" / "model_step_1.pt"
    if not file.exists():
        with torch.device("meta"):
            model = VastModel(FULL)
        state = {
            name: torch.randn(slot.shape) * 0.02 if slot.is_floating_point() else torch.arange(slot.shape[-1])[None]
            for name, slot in model.state_dict().items()
        }
        torch.save(state, file)
        (folder / "log" / "hps.json").write_text(json.dumps(CONFIG))
    return folder


def status_mb(field: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1]) / 1024


def report_load(path: str, precision: str) -> None:
    """In a process of its own: load, and print seconds, peak and size."""
    from gramcli.encoders import load_encoder
    from gramcli.encoders.vast import encoder as _  # noqa: F401 - its imports are not part of the peak

    before, start = status_mb("VmRSS"), time.perf_counter()
    loaded = load_encoder(path, precision=precision)
    took = time.perf_counter() - start
    held = {p.data_ptr(): p.numel() * p.element_size() for p in loaded.model.parameters()}  # type: ignore[attr-defined]
    print(json.dumps({"s": took, "peak": status_mb("VmHWM") - before, "weights": sum(held.values()) / 2**20}))


def load_row(path: Path, precision: str) -> str:
    call = f"b.report_load({str(path)!r}, {precision!r})"
    code = f"import sys; sys.path.insert(0, {sys.path[0]!r}); import bench_checkpoint as b; {call}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    ratio = found["peak"] / found["weights"]
    sizes = f"{found['weights']:,.0f} | {found['peak']:,.0f} | {ratio:.3f}"
    return f"| `{path.name}` | {precision} | {sizes} | {found['s']:.1f} |"


def bench_load(folder: Path) -> None:
    from gramcli.encoders.vast.export import export_safetensors

    checkpoint = write_checkpoint(folder / "full")
    print("\n## Loading the full-size model\n")
    print("| checkpoint | precision | weights, MB | peak, MB | ratio (target 1.1) | s |\n|---|---|---|---|---|---|")
    for precision in ("fp32", "bf16"):
        print(load_row(checkpoint, precision), flush=True)
    half = folder / "half.safetensors"
    export_safetensors(checkpoint, half, half=True)
    print(load_row(half, "fp16"), flush=True)


def bench_gpu(clips: int) -> None:
    """Clips per second of the towers in bfloat16, 8 frames a clip, for some batch sizes."""
    from gramcli.encoders.vast.model import VastModel

    if not torch.cuda.is_available():
        print("\nThe GPU part needs an NVIDIA GPU, and torch sees none here: nothing was measured.")
        return
    with torch.device("cuda"):
        model = VastModel(FULL).to(torch.bfloat16).eval()
    print(f"\n## Towers alone, bfloat16, 8 frames and one slice of sound a clip, {torch.cuda.get_device_name()}\n")
    print("| batch | clips/s | peak memory, GB |\n|---|---|---|")
    for batch in (1, 4, 16, 32):
        pixels = torch.randn(batch, 8, 3, 224, 224, device="cuda")
        sound = torch.randn(batch, 1, 1024, 64, device="cuda")
        torch.cuda.reset_peak_memory_stats()
        with torch.inference_mode():
            for rounds in (1, max(1, clips // batch)):
                torch.cuda.synchronize()
                start = time.perf_counter()
                for _ in range(rounds):
                    model.features({"video": model.vision_tokens(pixels), "audio": model.audio_tokens(sound)})
                torch.cuda.synchronize()
                took = time.perf_counter() - start
        print(
            f"| {batch} | {rounds * batch / took:.1f} | {torch.cuda.max_memory_allocated() / 2**30:.1f} |", flush=True
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--folder", type=Path, help="where the checkpoint is written and kept; default: a temporary one"
    )
    parser.add_argument("--only", choices=["load", "gpu"])
    parser.add_argument("--clips", type=int, default=64)
    args = parser.parse_args()
    if args.only in (None, "load"):
        with tempfile.TemporaryDirectory() as name:
            bench_load(args.folder or Path(name))
    if args.only in (None, "gpu"):
        bench_gpu(args.clips)


if __name__ == "__main__":
    main()
