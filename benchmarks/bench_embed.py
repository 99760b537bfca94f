"""What embedding costs next to decoding alone, whether memory stays flat, and how frames are reached.

Run: python benchmarks/bench_embed.py [--only throughput|memory|frames] [--clips 160] [--workers 2] [--rounds 3]

Clips are generated: 320 x 240, 10 s, H.264 with AAC sound, 8 frames taken of each. "decoding alone" reads the same
files, video and sound, in the same number of worker processes, and throws the result away; start-up of the workers is
in both. Ratios are of one run, taken in turns.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gramcli.datasets import Dataset, Item
from gramcli.embedding.options import EmbedOptions
from gramcli.embedding.reading import Reader
from gramcli.embedding.workers import open_pool
from gramcli.embedding.writing import write_embeddings
from gramcli.encoders import load_encoder
from gramcli.encoders.base import Preprocessing

FRAMES = 8
SIZE, FPS, SECONDS = (320, 240), 25, 10


def write_clip(path: Path, seed: int, gop: int = 250) -> Path:
    """Moving texture and a tone: neither trivial nor as hard as noise."""
    import av

    random = np.random.default_rng(seed)
    width, height = SIZE
    texture = random.integers(0, 255, (height // 8 + 40, width // 8 + 40, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=FPS, options={"preset": "veryfast", "g": str(gop)})
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        audio = container.add_stream("aac", rate=44100, layout="stereo")
        for index in range(FPS * SECONDS):
            left, top = index % 300, (index // 2) % 300
            picture = np.ascontiguousarray(texture[top : top + height, left : left + width])
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(video.encode(None))
        times = np.arange(44100 * SECONDS) / 44100
        tone = (0.3 * np.sin(2 * np.pi * (200 + 10 * seed) * times)).astype(np.float32)
        for start in range(0, len(tone), 1024):
            piece = np.ascontiguousarray(np.stack([tone[start : start + 1024]] * 2))
            frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout="stereo")
            frame.sample_rate, frame.pts = 44100, start
            container.mux(audio.encode(frame))
        container.mux(audio.encode(None))
    return path


def made_dataset(folder: Path, clips: int) -> Dataset:
    """Distinct items over 20 distinct files: the files are read anew each time, only writing them is saved."""
    files = [write_clip(folder / f"{seed:02d}.mp4", seed) for seed in range(min(clips, 20))]
    items = [
        Item(f"{number:05d}", {"video": file, "audio": file}, (f"a caption of clip {number}",))
        for number in range(clips)
        for file in [files[number % len(files)]]
    ]
    return Dataset("bench", "generated", tuple(items))


class AsSlow:
    """A model that takes a given time per clip without using a processor, as one on a GPU does."""

    spec, shared_space, preprocessing = "slow", False, Preprocessing(frames=FRAMES)
    fused: Mapping[str, tuple[str, ...]] = {}
    modalities = ("text", "video", "audio")

    def __init__(self, seconds_per_clip: float) -> None:
        signal = load_encoder("signal", frames=FRAMES)
        self.dims, self.prepare, self._seconds = (
            dict.fromkeys(("text", "video", "audio"), 4),
            signal.prepare,
            seconds_per_clip,
        )

    def describe(self) -> dict[str, Any]:
        """As an encoder has to."""
        return {"id": self.spec}

    def encode(self, inputs: Mapping[str, Sequence[Any]]) -> dict[str, np.ndarray]:
        """Take the time."""
        time.sleep(self._seconds * len(inputs.get("video", ())))
        return {name: np.full((len(given), 4), 0.5, np.float32) for name, given in inputs.items()}


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def decode_alone(dataset: Dataset, workers: int, root: Path) -> None:
    """Read every file as `embed` does, as far ahead as it does, and drop the result."""
    encoder = load_encoder("signal", frames=FRAMES)
    reader = Reader(encoder.preprocessing, encoder.prepare, root)
    with open_pool(reader, workers, 60) as pool:
        waiting: deque[Any] = deque()
        for item in dataset.items:
            waiting += [
                pool.submit("video", item.media["video"]),
                pool.submit("audio", item.media["audio"]),
            ]
            while len(waiting) > 2 * (16 + 2 * workers):
                waiting.popleft().result()
        for future in waiting:
            future.result()


def bench_throughput(clips: int, workers: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        dataset = made_dataset(folder, clips)
        signal = load_encoder("signal", frames=FRAMES)
        options = EmbedOptions(workers=workers)
        decode_alone(dataset, workers, folder)  # warms the page cache
        rows: list[tuple[float, float, float, float]] = []
        for number in range(rounds):
            alone = seconds(lambda: decode_alone(dataset, workers, folder))
            ours = seconds(lambda: write_embeddings(dataset, signal, folder / f"signal{number}", options=options))  # noqa: B023
            slow = AsSlow(alone / clips)
            both = seconds(lambda: write_embeddings(dataset, slow, folder / f"slow{number}", options=options))  # noqa: B023
            rows.append((alone, ours, both, both / alone))
    alone, ours, both = (statistics.median(column) for column in list(zip(*rows, strict=True))[:3])
    print(f"\n## {clips} clips of {SECONDS} s, {SIZE[0]} x {SIZE[1]}, {FRAMES} frames each, {workers} workers\n")
    print("| work | s | clips/s | ratio |\n|---|---|---|---|")
    print(f"| decoding alone | {alone:.2f} | {clips / alone:.1f} | 1 |")
    ratio = statistics.median(row[1] / row[0] for row in rows)
    print(f"| `embed --model signal` | {ours:.2f} | {clips / ours:.1f} | {ratio:.2f} of decoding alone |")
    ratio = statistics.median(row[2] / row[0] for row in rows)
    print(f"| a model as slow as decoding | {both:.2f} | {clips / both:.1f} | {ratio:.2f} of either side |")


def bench_memory(sizes: list[int]) -> None:
    """Peak memory of the process that holds the model and the results, for more and more items."""
    print("\n## Peak memory of `embed` against the number of items (sounds of 0.3 s, shards of 64)\n")
    print("| items | peak above the start, MB | s |\n|---|---|---|")
    for n in sizes:
        code = f"import sys; sys.path.insert(0, {sys.path[0]!r}); import bench_embed as b; b.report_memory({n})"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        found = json.loads(done.stdout)
        print(f"| {n:,} | {found['peak_mb']:.0f} | {found['seconds']:.0f} |", flush=True)


def report_memory(n: int) -> None:
    import soundfile

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / "a.wav"
        soundfile.write(str(file), (0.3 * np.sin(np.arange(4800) / 9)).astype(np.float32), 16000)
        items = tuple(Item(f"{k:06d}", {"audio": file}, (f"sound {k}",)) for k in range(n))
        encoder = load_encoder("signal")
        options = EmbedOptions(workers=2)
        write_embeddings(Dataset("warm", "generated", items[:64]), encoder, folder / "warm", options=options)
        start, before = time.perf_counter(), resident_mb("VmRSS")
        write_embeddings(Dataset("bench", "generated", items), encoder, folder / "s", options=options)
        print(json.dumps({"peak_mb": resident_mb("VmHWM") - before, "seconds": time.perf_counter() - start}))


def resident_mb(field: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1]) / 1024


def bench_frames(rounds: int) -> None:
    """How 8 of 250 frames are reached, against the two fixed ways."""
    import av
    import decord

    from gramcli.media.sampling import middle_of_segment
    from gramcli.media.video import read_video

    def all_frames(path: Path) -> None:
        with av.open(str(path)) as container:
            picks = set(middle_of_segment(FPS * SECONDS, FRAMES))
            for index, frame in enumerate(container.decode(video=0)):
                if index in picks:
                    frame.to_ndarray(format="rgb24")

    def seeking(path: Path) -> None:
        decord.VideoReader(str(path), num_threads=1).get_batch(middle_of_segment(FPS * SECONDS, FRAMES)).asnumpy()

    print(f"\n## {FRAMES} of {FPS * SECONDS} frames of one clip, ms (median of {rounds * 3})\n")
    print(
        "| keyframe every | read_video | PyAV, every frame | decord2, seeking | of the faster |\n|---|---|---|---|---|"
    )
    with tempfile.TemporaryDirectory() as name:
        for gop in (12, 50, 250):
            path = write_clip(Path(name) / f"{gop}.mp4", 1, gop)
            ways = (lambda p: read_video(p, FRAMES), all_frames, seeking)
            rows = [[seconds(lambda: way(path)) for way in ways] for _ in range(rounds * 3)]  # noqa: B023
            ours, through, seek = (1000 * statistics.median(column) for column in zip(*rows, strict=True))
            print(f"| {gop} | {ours:.0f} | {through:.0f} | {seek:.0f} | {ours / min(through, seek):.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["throughput", "memory", "frames"])
    parser.add_argument("--clips", type=int, default=160)
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs="*", default=[1000, 3000, 10_000])
    args = parser.parse_args()
    if args.only in (None, "frames"):
        bench_frames(args.rounds)
    if args.only in (None, "throughput"):
        for workers in args.workers:
            bench_throughput(args.clips, workers, args.rounds)
    if args.only in (None, "memory"):
        bench_memory(args.sizes)


if __name__ == "__main__":
    main()
