"""Options that mean the same in every command, once."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from gramcli.cli.panels import classification, data, every_command, measuring, model, output, retrieval, running
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


class Rule(StrEnum):
    """What two evaluations have to agree in to be compared."""

    relevant = "relevant"
    stage = "stage"
    ties = "ties"
    missing = "missing"
    dataset = "dataset"
    protocol = "protocol"
    gallery = "gallery"
    questions = "questions"


class Intervals(StrEnum):
    """How 95 % intervals are made."""

    plus_four = "plus-four"
    wilson = "wilson"
    bootstrap = "bootstrap"


class Population(StrEnum):
    """What 95 % intervals allow for."""

    queries = "queries"
    items = "items"


class Directions(StrEnum):
    """Which splits of the modalities are evaluated."""

    named = "named"
    all = "all"


class Pool(StrEnum):
    """Whose candidates make a gallery."""

    task = "task"
    shared = "shared"


class Classifier(StrEnum):
    """Classifiers of `gram eval --metrics classification`."""

    zero_shot = "zero-shot"
    knn = "knn"
    probe = "probe"


class Relevance(StrEnum):
    """What answers a query."""

    item = "item"
    label = "label"


class JoinItems(StrEnum):
    """Which items a joined store holds."""

    same = "same"
    intersection = "intersection"
    union = "union"


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
StoreArg = Annotated[
    Path, typer.Argument(metavar="STORE", help="Embeddings, as `gram embed`, `import` and `join` write them.")
]
TargetArg = Annotated[str, typer.Argument(metavar="TARGET", help="A STORE; with --dataset, a MODEL.")]
EncoderArg = Annotated[
    str | None,
    typer.Argument(metavar="[MODEL]", help="An encoder, as for `gram embed --model`.", show_default=False),
]
JoinedArg = Annotated[
    list[str], typer.Argument(metavar="A B...", help="STORE, or STORE:OLD=NEW,OLD=NEW; items stand in the order of A.")
]
PathArg = Annotated[
    Path,
    typer.Argument(
        metavar="PATH", help="A checkpoint, hf:NAME, a store, an evaluation's JSON, a media folder or a manifest."
    ),
]

# What to embed
ModelOpt = Annotated[
    str,
    model(
        "--model",
        metavar="MODEL",
        help="`signal` (built in), hf:NAME, st:NAME, a checkpoint's path, MODULE:FUNCTION, or text=MODEL,video=MODEL.",
    ),
]
RootOpt = Annotated[
    Path | None,
    data(
        "--root",
        metavar="DIR",
        help="Folder that holds a dataset, or that paths in DATA start from.",
        show_default=False,
    ),
]
DatasetOpt = Annotated[
    str | None, data("--dataset", metavar="DATA", help="Embed DATA with the model TARGET first (cached).")
]
FramesOpt = Annotated[
    int | None,
    model("--frames", min=1, metavar="N", help="Frames of each video. Default: the model's own, or 8."),
]
PrecisionOpt = Annotated[
    str, model("--precision", metavar="fp32|bf16|fp16", help="Weights and arithmetic of the model.")
]
CompileOpt = Annotated[
    bool, model("--compile", help="Compile an hf: model first, which takes a minute or more: for long runs.")
]
TokenizerOpt = Annotated[
    Path | None, model("--tokenizer", metavar="PATH", help="A vocabulary, where it is not found by itself.")
]
RerankOpt = Annotated[
    str | None, retrieval("--rerank", metavar="itm", help="Also re-rank the best by the model's matching head.")
]
RerankTopOpt = Annotated[
    int, retrieval("--rerank-top", min=1, metavar="N", help="How many of each query's best are re-ranked.")
]
StepOpt = Annotated[int | None, model("--checkpoint-step", metavar="N", help="Which saved step; by default the last.")]
ConfigOpt = Annotated[
    Path | None,
    model("--config", metavar="FILE", help="The hps.json of the weights, where it is not beside them."),
]
ExportArg = Annotated[
    Path, typer.Argument(metavar="STORE|CHECKPOINT", help="A store; or a folder of a training run, or a weight file.")
]
ExportOut = Annotated[
    Path, output("-o", "--output", metavar="FILE", help="The file to write; its suffix names the format.")
]
HalfOpt = Annotated[bool, model("--half", help="Store float16: half the size on disk and in memory.")]
PickleOpt = Annotated[bool, model("--allow-pickle", help="Load weight files that can run code. Only files you trust.")]
StandInsOpt = Annotated[
    bool,
    model("--stand-ins", help="Also encode silence and no words for absent sound and subtitles."),
]
WorkersOpt = Annotated[
    int | None,
    running("--workers", min=0, metavar="N", help="Processes that decode; 0: none. Default: one per processor."),
]
TimeoutOpt = Annotated[str, running("--timeout", metavar="TIME", help="How long one file may take to decode: 60s, 2m.")]
BatchOpt = Annotated[
    int,
    running("--batch-size", min=1, metavar="N", help="Items encoded together at first; halves when memory runs out."),
]
RetryOpt = Annotated[
    bool, running("--retry-failed", help="Also try again what failed; files that failed may have been replaced.")
]
VerifyOpt = Annotated[
    bool,
    running("--verify", help="Compare the checksums of a store's shards, or read all tensors of a checkpoint."),
]
OverwriteOpt = Annotated[bool, running("--overwrite", help="Start anew instead of resuming.")]
DryRunOpt = Annotated[bool, running("--dry-run", help="Say what would be done, and do nothing.")]
StoreOut = Annotated[Path, output("-o", "--output", metavar="STORE", help="The store to write or to resume.")]

# What to evaluate
TasksOpt = Annotated[
    list[str] | None,
    measuring(
        "--task",
        metavar="TASK",
        help="For instance t2va (letters t v a s d i); repeats. Default: all. "
        "Classification takes its modalities but text: t2va classifies by v and a together.",
    ),
]
MethodsOpt = Annotated[
    list[str] | None,
    measuring(
        "--method", metavar="METHOD", help="See `gram methods`; repeats. Default: all that fit, of single pairs cosine."
    )
]  # fmt: skip
MetricsOpt = Annotated[
    list[Kind] | None,
    measuring("--metrics", help="Kinds of figures; repeats. Default: retrieval. `gram metrics` explains them."),
]
TiesOpt = Annotated[
    Ties, retrieval("--ties", help="Right answers that tie with wrong ones: mean over all orders, first, last.")
]
IntervalsOpt = Annotated[
    Intervals,
    retrieval("--intervals", help="95 % intervals: ours, or as other tools make them: Wilson's of R@k, bootstraps."),
]
PopulationOpt = Annotated[
    Population, retrieval("--population", help="95 % intervals over new queries of this gallery, or over new items.")
]
DirectionsOpt = Annotated[
    Directions,
    measuring("--directions", help="`all`: every split of the modalities in two, both ways, as a matrix; no --task."),
]
PoolOpt = Annotated[
    Pool,
    retrieval("--pool", help="`shared`: queries of each modality among the candidates of all; which answer first."),
]
PerQueryOpt = Annotated[
    Path | None, output("--per-query", metavar="FILE.csv", help="Write every query's rank and five best answers.")
]
TemplatesOpt = Annotated[
    str | None,
    classification(
        "--templates",
        metavar="NAME|FILE",
        help="Prompts: plain (the default), photo, sound, video, or a file, one a line with {}.",
    ),
]
KnnOpt = Annotated[
    int | None,
    classification("--knn", min=1, metavar="K", help="How many nearest neighbours vote on a class. Default: 10."),
]
ClassifiersOpt = Annotated[
    list[Classifier] | None,
    classification("--classifier", help="Of --metrics classification; repeats. Default: all that the data allow."),
]
TaskOpt = Annotated[str | None, measuring("--task", metavar="TASK", help="For instance t2va.")]
MethodOpt = Annotated[str, measuring("--method", metavar="METHOD", help="See `gram methods`.")]
QueryOpt = Annotated[
    str | None, measuring("--query", metavar="NAMES", help="Query embeddings by name, comma between; not --task.")
]
CandidatesOpt = Annotated[
    str | None, measuring("--candidates", metavar="NAMES", help="Candidate embeddings by name, with --query.")
]
SplitOpt = Annotated[
    str | None, data("--split", metavar="NAME", help="Only the items of this split; `all`: of every split.")
]
LimitOpt = Annotated[
    int | None, data("--limit", min=1, metavar="N", help="Only the first N items; of each split with --split all.")
]
TextOnlyOpt = Annotated[
    bool, data("--text-only", help="Accept items of a manifest that name no video, sound or picture.")
]
MissingOpt = Annotated[
    Missing, data("--missing", help="Items that lack a modality; `present` measures those that are there.")
]
DeviceOpt = Annotated[
    str, running("--device", metavar="auto|cpu|cuda[:i]", help="Where the model runs and scores are computed.")
]
ProtocolOpt = Annotated[
    str | None,
    data("--protocol", metavar="NAME", help="A dataset's protocol (`gram datasets NAME`), or a name to record."),
]
DatasetNameArg = Annotated[
    str | None,
    typer.Argument(metavar="[NAME]", help="A dataset to explain; with --root, to look for.", show_default=False),
]
MetricArg = Annotated[
    str | None, typer.Argument(metavar="[NAME]", help="A metric to explain, such as R@1.", show_default=False)
]
NormalizeOpt = Annotated[
    str | None,
    retrieval(
        "--normalize", metavar="NAME", help="Demote hubs: dsl, csls or qbnorm (dsl:tau=20); marked in the answer."
    ),
]
ReferenceOpt = Annotated[
    bool, output("--reference", help="Print published figures of the dataset beside the measured ones.")
]
ExpectOpt = Annotated[
    list[str] | None,
    output("--expect", metavar="WHAT", help="[TASK:[METHOD:]]METRIC=VALUE+-TOLERANCE, else exit 5; repeats."),
]

ItemsOpt = Annotated[int, data("--items", min=1, metavar="N", help="How many items to generate.")]
SeedOpt = Annotated[int, running("--seed", min=0, metavar="N", help="Seed of all that is drawn at random.")]

# Through heads
FromOpt = Annotated[
    Path | None,
    data("--from", metavar="STORE", help="With --model heads:DIR: embeddings of the base model, not decoded again."),
]
SeenThroughOpt = Annotated[
    str | None,
    model("--model", metavar="heads:DIR", help="See the STORE through heads that `gram align` wrote."),
]
RelevantOpt = Annotated[
    Relevance,
    retrieval("--relevant", help="What answers a query: its own item, or all items of its label."),
]
AllowTrainedOpt = Annotated[bool, data("--allow-trained", help="Also evaluate items that the heads were trained on.")]

# Between stores and files
JoinItemsOpt = Annotated[
    JoinItems,
    data("--items", help="Ids that only some stores hold: refused, left out, or kept as absent from the others."),
]
ToOpt = Annotated[
    str | None,
    output("--to", metavar="FORMAT", help="The format by name: npz, safetensors, h5, parquet, csv, trec."),
]
PerModalityOpt = Annotated[bool, output("--per-modality", help="Write a folder with one file for each embedding.")]
ProjectOpt = Annotated[
    str | None, output("--project", metavar="pca|umap", help="Add x and y to a table; umap where umap-learn is.")
]
QrelsOpt = Annotated[
    Path | None, output("--qrels", metavar="FILE", help="With a run: also write what answers each query.")
]
TopOpt = Annotated[
    int | None,
    retrieval("--top", min=1, metavar="K", help="Best answers of each query. Default: 1000 of a run, 10 neighbors."),
]

# Where the answer goes
DemoOut = Annotated[Path, output("-o", "--output", metavar="DIR", help="Where everything is written.")]
DEMO_FOLDER = Path("demo")
OutputOpt = Annotated[
    Path | None, output("-o", "--output", metavar="FILE", help="Write the answer here instead of stdout.")
]
ResultArg = Annotated[Path, typer.Argument(metavar="FILE.json", help="What --format json wrote.")]
PageOut = Annotated[
    Path | None,
    output("-o", "--output", metavar="FILE.html", help="The page. Default: beside FILE.json.", show_default=False),
]
SourceOpt = Annotated[
    str | None, data("--dataset", metavar="DATA", help="Where captions and media are now, if they have moved.")
]
ReportOpt = Annotated[Path | None, output("--report", metavar="FILE.html", help="Also write one HTML page.")]

# Shared by all commands; see `gramcli.cli.command`
FormatOpt = Annotated[
    Format | None, output("--format", help="How to print the answer. Default: table.", show_default=False)
]
QuietOpt = Annotated[bool, every_command("--quiet", "-q", help="No progress, no messages; only the answer and errors.")]
VerboseOpt = Annotated[bool, every_command("--verbose", "-v", help="Log what is done, on stderr.")]
DebugOpt = Annotated[bool, every_command("--debug", help="Show the traceback of an error.")]
SettingsOpt = Annotated[
    str | None,
    every_command(
        "--settings", metavar="FILE", help="Defaults by command. Default: gram.toml of this folder; `none`: no file."
    ),
]
PrintConfigOpt = Annotated[
    bool, every_command("--print-config", help="Print what would be used, as TOML, and do nothing.")
]


def values(chosen: Sequence[StrEnum] | None) -> tuple[str, ...]:
    """Return the words of an option that repeats; none where it was not given."""
    return tuple(one.value for one in chosen or ())
