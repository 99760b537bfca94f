"""What embedding by a model of Hugging Face costs next to decoding alone and the model alone, and its first start.

Run: python benchmarks/bench_hf.py [--clips 60] [--workers 1] [--rounds 3]

Clips are generated: 320 x 240, 10 s, H.264 with AAC sound, 8 frames taken of each, one caption. The model is a small
random CLIP (224 pixels, patches of 32, 4 layers of width 256), on one thread. "decoding alone" reads, resizes and
normalises the same frames in the same number of workers and throws them away; "model alone" encodes prepared frames and
captions of as many items; "both at once" runs these two in processes that share nothing: less than that `embed` cannot
take. `--only sounds` asks the same of the clips' sound and a small random CLAP. Ratios are of one run, taken in turns.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from bench_embed import FRAMES, SECONDS, SIZE, made_dataset, seconds

from gramcli.datasets import Dataset, Item
from gramcli.embedding.options import EmbedOptions
from gramcli.embedding.reading import Reader
from gramcli.embedding.workers import open_pool
from gramcli.embedding.writing import write_embeddings
from gramcli.encoders import load_encoder
from gramcli.encoders.base import Encoder

WIDTH, LAYERS = 256, 4
START = """
import time
start = time.perf_counter()
from gramcli.encoders import load_encoder
load_encoder(sys.argv[1])
print(time.perf_counter() - start)
"""


def write_clip_model(folder: Path) -> Path:
    """Save a small random CLIP with a tokenizer of letters."""
    import torch
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers

    torch.manual_seed(0)
    sizes = {
        "hidden_size": WIDTH,
        "intermediate_size": 4 * WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 4,
    }
    config = transformers.CLIPConfig(
        text_config={**sizes, "vocab_size": 100, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0},
        vision_config={**sizes, "image_size": 224, "patch_size": 32},
    )
    transformers.CLIPModel(config).save_pretrained(folder)
    transformers.CLIPImageProcessorPil().save_pretrained(folder)
    words = {
        word: index for index, word in enumerate(("<pad>", "<s>", "</s>", *"abcdefghijklmnopqrstuvwxyz 0123456789"))
    }
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<pad>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>").save_pretrained(folder)
    return folder


def only(dataset: Dataset, modality: str) -> Dataset:
    """The same items with one file each."""
    items = (Item(one.id, {modality: one.media[modality]}, one.captions) for one in dataset.items)
    return Dataset("bench", "generated", tuple(items))


def decode_alone(dataset: Dataset, encoder: Encoder, workers: int, root: Path, modality: str) -> None:
    """Read and prepare every file as `embed` does, as far ahead as it does, and drop the result."""
    with open_pool(Reader(encoder.preprocessing, encoder.prepare, root), workers, 60) as pool:
        waiting: deque[Any] = deque()
        for item in dataset.items:
            waiting.append(pool.submit(modality, item.media[modality]))
            while len(waiting) > 16 + 2 * workers:
                waiting.popleft().result()
        for future in waiting:
            future.result()


def model_alone(dataset: Dataset, encoder: Encoder, modality: str, prepared: np.ndarray) -> None:
    """Encode as many clips and captions as there are, in batches of 16."""
    for start in range(0, len(dataset.items), 16):
        batch = dataset.items[start : start + 16]
        encoder.encode({modality: [prepared] * len(batch)})
        encoder.encode({"text": [one.captions[0] for one in batch]})


def apart(first: Callable[[], None], second: Callable[[], None]) -> float:
    """Seconds until both are done, each in a process of its own that knows nothing of the other."""
    start = time.perf_counter()
    child = os.fork()
    if child == 0:
        first()
        os._exit(0)
    second()
    os.waitpid(child, 0)
    return time.perf_counter() - start


def compare(
    title: str, dataset: Dataset, encoder: Encoder, modality: str, folder: Path, args: argparse.Namespace
) -> None:
    """Print what decoding, the model, the two beside each other and `embed` take, in turns of one run."""
    reader = Reader(encoder.preprocessing, encoder.prepare, folder)
    prepared = reader(modality, dataset.items[0].media[modality]).value  # type: ignore[union-attr]
    decode = partial(decode_alone, dataset, encoder, args.workers, folder, modality)
    model = partial(model_alone, dataset, encoder, modality, prepared)
    options = EmbedOptions(workers=args.workers)
    decode()  # warms the page cache
    rows = []
    for number in range(args.rounds):
        embed = partial(write_embeddings, dataset, encoder, folder / f"s{number}", options=options)
        rows.append((seconds(decode), seconds(model), apart(decode, model), seconds(embed)))
    decoding, encoding, beside, both = (statistics.median(column) for column in zip(*rows, strict=True))
    slower, of_beside = max(decoding, encoding), statistics.median(row[3] / row[2] for row in rows)
    of_slower = statistics.median(row[3] / max(row[:2]) for row in rows)
    n = len(dataset.items)
    print(f"\n## {title}, {n} clips of {SECONDS} s, {args.workers} workers\n")
    print("| work | s | clips/s | ratio |\n|---|---|---|---|")
    for work, took, ratio in (
        ("decoding alone", decoding, ""),
        ("the model alone", encoding, ""),
        ("both at once, in processes apart", beside, f"{beside / slower:.2f} of the slower"),
        ("`embed --model hf:...`", both, f"{of_slower:.2f} of the slower, {of_beside:.2f} of both at once"),
    ):
        print(f"| {work} | {took:.2f} | {n / took:.1f} | {ratio} |", flush=True)


def bench_throughput(args: argparse.Namespace) -> None:
    """Frames of videos through CLIP."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        dataset = only(made_dataset(folder, args.clips), "video")
        encoder = load_encoder(f"hf:{write_clip_model(folder / 'clip')}", frames=FRAMES)
        compare(f"CLIP, {FRAMES} frames of {SIZE[0]} x {SIZE[1]}", dataset, encoder, "video", folder, args)


def write_clap_model(folder: Path) -> Path:
    """Save a small random CLAP, which hears ten seconds at 48 kHz, with the tokenizer of the CLIP."""
    import torch
    import transformers

    write_clip_model(folder)
    torch.manual_seed(0)
    audio = {"patch_embeds_hidden_size": 24, "hidden_size": 96, "depths": [1, 1, 1], "num_attention_heads": [2, 2, 2]}
    text = {"vocab_size": 100, "hidden_size": WIDTH, "num_hidden_layers": LAYERS, "num_attention_heads": 4}
    config = transformers.ClapConfig(text_config=text, audio_config={**audio, "num_hidden_layers": 3})
    transformers.ClapModel(config).save_pretrained(folder)
    transformers.ClapFeatureExtractor(truncation="rand_trunc").save_pretrained(folder)
    return folder


def bench_sounds(args: argparse.Namespace) -> None:
    """The sound of the same clips through CLAP: reading and spectrograms in the workers, the towers here."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        dataset = only(made_dataset(folder, args.clips), "audio")
        encoder = load_encoder(f"hf:{write_clap_model(folder / 'clap')}")
        compare("CLAP, sounds", dataset, encoder, "audio", folder, args)


def bench_start(rounds: int) -> None:
    """From nothing to a loaded model: the imports of torch and transformers are nearly all of it."""
    with tempfile.TemporaryDirectory() as name:
        model = write_clip_model(Path(name) / "clip")
        code = f"import sys{START}"
        times = [
            float(
                subprocess.run(
                    [sys.executable, "-c", code, f"hf:{model}"], capture_output=True, text=True, check=True
                ).stdout
            )
            for _ in range(rounds)
        ]
        load_encoder(f"hf:{model}")
        start = time.perf_counter()
        load_encoder(f"hf:{model}")
        again = time.perf_counter() - start
    print(f"\n## First start\n\nimports and loading {statistics.median(times):.1f} s; loading alone {again:.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["throughput", "sounds", "start"])
    parser.add_argument("--clips", type=int, default=60)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    if args.only != "start":
        import torch

        torch.set_num_threads(max(1, (os.cpu_count() or 1) - args.workers))
    if args.only in (None, "throughput"):
        bench_throughput(args)
    if args.only in (None, "sounds"):
        bench_sounds(args)
    if args.only in (None, "start"):
        bench_start(args.rounds)


if __name__ == "__main__":
    main()
