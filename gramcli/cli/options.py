"""Options that mean the same in every command, once."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from gramcli.metrics.geometry.catalog import metric_names
from gramcli.report import Format


class Kind(StrEnum):
    """Kinds of figures that `gram eval` makes."""

    retrieval = "retrieval"
    classification = "classification"
    geometry = "geometry"


class Ties(StrEnum):
    """Where a right answer stands that ties with wrong ones."""

    mean = "mean"
    optimistic = "optimistic"
    pessimistic = "pessimistic"


class Intervals(StrEnum):
    """How the interval of R@k is made."""

    bootstrap = "bootstrap"
    wilson = "wilson"


class Classifier(StrEnum):
    """Classifiers of `gram eval --metrics classification`."""

    zero_shot = "zero-shot"
    knn = "knn"
    probe = "probe"


class Relevance(StrEnum):
    """What answers a query."""

    item = "item"
    label = "label"


class Missing(StrEnum):
    """What happens to an item that lacks a modality of the task."""

    drop = "drop"
    present = "present"
    zero = "zero"
    error = "error"


# Operands
DataArg = Annotated[
    str, typer.Argument(metavar="DATA", help="A media folder, a manifest (.csv .tsv .json .jsonl) or a dataset's name.")
]
StoreArg = Annotated[Path, typer.Argument(metavar="STORE", help="A directory written by `gram embed`.")]
TargetArg = Annotated[str, typer.Argument(metavar="TARGET", help="A STORE; with --dataset, a MODEL.")]
OperandsArg = Annotated[
    list[str], typer.Argument(metavar="A B...", help="STORE, STORE@METHOD or an evaluation's JSON; A is the baseline.")
]
PathArg = Annotated[
    Path,
    typer.Argument(metavar="PATH", help="A checkpoint, a store, an evaluation's JSON, a media folder or a manifest."),
]

# What to embed
ModelOpt = Annotated[
    str, typer.Option("--model", metavar="MODEL", help="`signal`, which is built in, or the path of a checkpoint.")
]
RootOpt = Annotated[
    Path | None,
    typer.Option(
        "--root",
        metavar="DIR",
        help="Folder that holds a dataset, or that paths in DATA start from.",
        show_default=False,
    ),
]
DatasetOpt = Annotated[
    str | None, typer.Option("--dataset", metavar="DATA", help="Embed DATA with the model TARGET first (cached).")
]
FramesOpt = Annotated[
    int | None,
    typer.Option("--frames", min=1, metavar="N", help="Frames of each video. Default: the model's own, or 8."),
]
PrecisionOpt = Annotated[
    str, typer.Option("--precision", metavar="fp32|bf16|fp16", help="Weights and arithmetic of the model.")
]
TokenizerOpt = Annotated[
    Path | None, typer.Option("--tokenizer", metavar="PATH", help="A vocabulary, where it is not found by itself.")
]
RerankOpt = Annotated[
    str | None, typer.Option("--rerank", metavar="itm", help="Also re-rank the best by the model's matching head.")
]
RerankTopOpt = Annotated[
    int, typer.Option("--rerank-top", min=1, metavar="N", help="How many of each query's best are re-ranked.")
]
StepOpt = Annotated[
    int | None, typer.Option("--checkpoint-step", metavar="N", help="Which saved step; by default the last.")
]
ConfigOpt = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="The hps.json of the weights, where it is not beside them."),
]
CheckpointArg = Annotated[
    Path, typer.Argument(metavar="CHECKPOINT", help="A folder of a training run, or a weight file.")
]
WeightsOut = Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="The .safetensors file to write.")]
HalfOpt = Annotated[bool, typer.Option("--half", help="Store float16: half the size on disk and in memory.")]
PickleOpt = Annotated[
    bool, typer.Option("--allow-pickle", help="Load weight files that can run code. Only files you trust.")
]
StandInsOpt = Annotated[
    bool,
    typer.Option("--stand-ins", help="Also encode silence and no words for absent sound and subtitles."),
]
WorkersOpt = Annotated[
    int | None,
    typer.Option("--workers", min=0, metavar="N", help="Processes that decode; 0: none. Default: one per processor."),
]
TimeoutOpt = Annotated[
    str, typer.Option("--timeout", metavar="TIME", help="How long one file may take to decode: 60s, 2m.")
]
BatchOpt = Annotated[
    int, typer.Option("--batch-size", min=1, metavar="N", help="Inputs encoded together; no figure depends on it.")
]
RetryOpt = Annotated[
    bool, typer.Option("--retry-failed", help="Also try again what failed; files that failed may have been replaced.")
]
VerifyOpt = Annotated[
    bool,
    typer.Option("--verify", help="Compare the checksums of a store's shards, or read all tensors of a checkpoint."),
]
OverwriteOpt = Annotated[bool, typer.Option("--overwrite", help="Start anew instead of resuming.")]
DryRunOpt = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
StoreOut = Annotated[Path, typer.Option("-o", "--output", metavar="STORE", help="The store to write or to resume.")]

# What to evaluate
TasksOpt = Annotated[
    list[str] | None,
    typer.Option(
        "--task",
        metavar="TASK",
        help="For instance t2va (letters t v a s d i); repeats. Default: all. "
        "Classification takes its modalities but text: t2va classifies by v and a together.",
    ),
]
MethodsOpt = Annotated[
    list[str] | None,
    typer.Option("--method", metavar="METHOD", help="See `gram methods`; repeats. Default: all that fit.")
]  # fmt: skip
MetricsOpt = Annotated[
    list[Kind] | None,
    typer.Option("--metrics", help=f"Kinds of figures; repeats. Default: retrieval. Geometry: {metric_names()}."),
]
TiesOpt = Annotated[
    Ties, typer.Option("--ties", help="Where a right answer stands that ties with wrong ones: middle, first, last.")
]
IntervalsOpt = Annotated[
    Intervals, typer.Option("--intervals", help="95 % intervals of R@k; the other figures are bootstrapped.")
]
PerQueryOpt = Annotated[
    Path | None, typer.Option("--per-query", metavar="FILE.csv", help="Write every query's rank and five best answers.")
]
TemplatesOpt = Annotated[
    str | None,
    typer.Option(
        "--templates",
        metavar="NAME|FILE",
        help="Prompts: plain (the default), photo, sound, video, or a file, one a line with {}.",
    ),
]
KnnOpt = Annotated[
    int | None,
    typer.Option("--knn", min=1, metavar="K", help="How many nearest neighbours vote on a class. Default: 10."),
]
ClassifiersOpt = Annotated[
    list[Classifier] | None,
    typer.Option("--classifier", help="Of --metrics classification; repeats. Default: all that the data allow."),
]
TaskOpt = Annotated[str | None, typer.Option("--task", metavar="TASK", help="For instance t2va.")]
MethodOpt = Annotated[str, typer.Option("--method", metavar="METHOD", help="See `gram methods`.")]
QueryOpt = Annotated[
    str | None, typer.Option("--query", metavar="NAMES", help="Query embeddings by name, comma between; not --task.")
]
CandidatesOpt = Annotated[
    str | None, typer.Option("--candidates", metavar="NAMES", help="Candidate embeddings by name, with --query.")
]
SplitOpt = Annotated[str | None, typer.Option("--split", metavar="NAME", help="Only the items of this split.")]
LimitOpt = Annotated[int | None, typer.Option("--limit", min=1, metavar="N", help="Only the first N items.")]
MissingOpt = Annotated[
    Missing, typer.Option("--missing", help="Items that lack a modality; `present` measures those that are there.")
]
DeviceOpt = Annotated[
    str, typer.Option("--device", metavar="auto|cpu|cuda[:i]", help="Where the model runs and scores are computed.")
]
ProtocolOpt = Annotated[
    str | None,
    typer.Option(
        "--protocol", metavar="NAME", help="A dataset's protocol (`gram datasets NAME`), or a name to record."
    ),
]
DatasetNameArg = Annotated[
    str | None,
    typer.Argument(metavar="[NAME]", help="A dataset to explain; with --root, to look for.", show_default=False),
]
NormalizeOpt = Annotated[
    str | None,
    typer.Option(
        "--normalize", metavar="NAME", help="Demote hubs: dsl, csls or qbnorm (dsl:tau=20); marked in the answer."
    ),
]
ReferenceOpt = Annotated[
    bool, typer.Option("--reference", help="Print published figures of the dataset beside the measured ones.")
]
ExpectOpt = Annotated[
    list[str] | None,
    typer.Option("--expect", metavar="WHAT", help="[TASK:[METHOD:]]METRIC=VALUE+-TOLERANCE, else exit 5; repeats."),
]

IntersectOpt = Annotated[bool, typer.Option("--intersect", help="Compare on the queries that all have in common.")]
ItemsOpt = Annotated[int, typer.Option("--items", min=1, metavar="N", help="How many items to generate.")]
SeedOpt = Annotated[int, typer.Option("--seed", min=0, metavar="N", help="Seed of all that is drawn at random.")]

# What to align
LossOpt = Annotated[str, typer.Option("--loss", metavar="METHOD", help="Whose loss: see `gram methods`.")]
HeadsOut = Annotated[Path, typer.Option("-o", "--output", metavar="HEADS", help="The folder to write or to resume.")]
ModalitiesOpt = Annotated[
    list[str] | None, typer.Option("--modality", metavar="NAME", help="Only these embeddings; repeats. Default: all.")
]
AnchorOpt = Annotated[
    str | None,
    typer.Option("--anchor", metavar="NAME", help="What the loss contrasts with the rest, or `each`. Default: text."),
]
DimOpt = Annotated[int, typer.Option("--dim", min=1, metavar="N", help="Dimension of the shared space.")]
HiddenOpt = Annotated[int, typer.Option("--hidden", min=0, metavar="N", help="Width of a hidden layer; 0: linear.")]
EpochsOpt = Annotated[int, typer.Option("--epochs", min=1, metavar="N", help="At most so many.")]
RateOpt = Annotated[float, typer.Option("--lr", metavar="X", help="Peak learning rate of AdamW.")]
DecayOpt = Annotated[float, typer.Option("--weight-decay", metavar="X", help="Of the weights.")]
DropoutOpt = Annotated[
    float, typer.Option("--dropout", metavar="X", help="Share of input features left out, for few items.")
]
InitOpt = Annotated[
    Path | None, typer.Option("--init", metavar="HEADS", help="Start from these heads instead of at random.")
]
WarmupOpt = Annotated[float, typer.Option("--warmup", metavar="X", help="Share of steps in which the rate rises.")]
StepSizeOpt = Annotated[int, typer.Option("--batch-size", min=2, metavar="N", help="Items of a step.")]
TemperatureOpt = Annotated[
    float | None, typer.Option("--temperature", metavar="X", help="The loss's; it learns, but for pmrl.")
]
TrainSplitOpt = Annotated[str, typer.Option("--train-split", metavar="NAME", help="What is trained on, or `all`.")]
ValSplitOpt = Annotated[
    str | None,
    typer.Option("--val-split", metavar="NAME", help="What chooses the epoch. Default: val, else a fifth of train."),
]
JudgeOpt = Annotated[
    str | None, typer.Option("--method", metavar="METHOD", help="Who ranks in validation. Default: the loss.")
]
StopMetricOpt = Annotated[str, typer.Option("--metric", metavar="R@1|R@5|R@10|MRR", help="What chooses the epoch.")]
PatienceOpt = Annotated[
    int, typer.Option("--patience", min=0, metavar="N", help="Epochs without a better one that end it; 0: never.")
]
FromOpt = Annotated[
    Path | None,
    typer.Option(
        "--from", metavar="STORE", help="With --model heads:DIR: embeddings of the base model, not decoded again."
    ),
]
SeenThroughOpt = Annotated[
    str | None,
    typer.Option("--model", metavar="heads:DIR", help="See the STORE through heads that `gram align` wrote."),
]
RelevantOpt = Annotated[
    Relevance,
    typer.Option("--relevant", help="What answers a query: its own item, or all items of its label."),
]
AllowTrainedOpt = Annotated[
    bool, typer.Option("--allow-trained", help="Also evaluate items that the heads were trained on.")
]

# Where the answer goes
DemoOut = Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Where everything is written.")]
DEMO_FOLDER = Path("demo")
OutputOpt = Annotated[
    Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write the answer here instead of stdout.")
]
ReportOpt = Annotated[Path | None, typer.Option("--report", metavar="FILE.html", help="Also write one HTML page.")]

# Shared by all commands; see `gramcli.cli.command`
FormatOpt = Annotated[
    Format | None, typer.Option("--format", help="How to print the answer. Default: table.", show_default=False)
]
QuietOpt = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no messages; only the answer and errors.")]
VerboseOpt = Annotated[bool, typer.Option("--verbose", "-v", help="Log what is done, on stderr.")]
DebugOpt = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


def values(chosen: Sequence[StrEnum] | None) -> tuple[str, ...]:
    """Return the words of an option that repeats; none where it was not given."""
    return tuple(one.value for one in chosen or ())
