"""Options of `gram align` alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from gramcli.cli.panels import output, training, validation

LossOpt = Annotated[str, training("--loss", metavar="METHOD", help="Whose loss: see `gram methods`.")]
HeadsOut = Annotated[Path, output("-o", "--output", metavar="HEADS", help="The folder to write or to resume.")]
ModalitiesOpt = Annotated[
    list[str] | None, training("--modality", metavar="NAME", help="Only these embeddings; repeats. Default: all.")
]
AnchorOpt = Annotated[
    str | None,
    training("--anchor", metavar="NAME", help="What the loss contrasts with the rest, or `each`. Default: text."),
]
DimOpt = Annotated[int, training("--dim", min=1, metavar="N", help="Dimension of the shared space.")]
HiddenOpt = Annotated[int, training("--hidden", min=0, metavar="N", help="Width of a hidden layer; 0: linear.")]
EpochsOpt = Annotated[int, training("--epochs", min=1, metavar="N", help="At most so many.")]
RateOpt = Annotated[float, training("--lr", metavar="X", help="Peak learning rate of AdamW.")]
DecayOpt = Annotated[float, training("--weight-decay", metavar="X", help="Of the weights.")]
DropoutOpt = Annotated[
    float, training("--dropout", metavar="X", help="Share of input features left out, for few items.")
]
InitOpt = Annotated[
    Path | None, training("--init", metavar="HEADS", help="Start from these heads instead of at random.")
]
WarmUpOpt = Annotated[
    int | None,
    training(
        "--warm-up",
        min=0,
        metavar="N",
        help="Epochs by the cosine loss first; 0: none. Default: as --epochs for losses that do not see signs.",
    ),
]
RisingOpt = Annotated[float, training("--lr-warmup", metavar="X", help="Share of steps in which the rate rises.")]
StepSizeOpt = Annotated[int, training("--batch-size", min=2, metavar="N", help="Items of a step.")]
TemperatureOpt = Annotated[
    float | None, training("--temperature", metavar="X", help="The loss's; it learns, but for pmrl.")
]
TrainSplitOpt = Annotated[str, training("--train-split", metavar="NAME", help="What is trained on, or `all`.")]
ValSplitOpt = Annotated[
    str | None,
    validation("--val-split", metavar="NAME", help="What chooses the epoch. Default: val, else a fifth of train."),
]
JudgeOpt = Annotated[
    str | None, validation("--method", metavar="METHOD", help="Who ranks in validation. Default: the loss.")
]
StopMetricOpt = Annotated[str, validation("--metric", metavar="R@1|R@5|R@10|MRR", help="What chooses the epoch.")]
PatienceOpt = Annotated[
    int, validation("--patience", min=0, metavar="N", help="Epochs without a better one that end it; 0: never.")
]
ValTaskOpt = Annotated[
    str | None,
    validation("--task", metavar="TASK", help="What is ranked: t2va. Default: all of the store."),
]
ValQueryOpt = Annotated[
    str | None, validation("--query", metavar="NAMES", help="Query embeddings by name, comma between; not --task.")
]
ValCandidatesOpt = Annotated[
    str | None, validation("--candidates", metavar="NAMES", help="Candidate embeddings by name, with --query.")
]
