"""`gram score`."""

from __future__ import annotations

from gramcli.cli.loading import heavy_imports
from gramcli.cli.options import (
    CandidatesOpt,
    LimitOpt,
    Missing,
    MissingOpt,
    OutputOpt,
    QueryOpt,
    ReportOpt,
    SeedOpt,
    SplitOpt,
    StoreArg,
)
from gramcli.cli.score_options import FdrOpt, KeepOpt, PerOpt, Scored, ScoredMethodsOpt, ScoredTasksOpt
from gramcli.cli.session import Session
from gramcli.errors import EXIT_LEFT_OUT


def score_command(
    session: Session,
    store: StoreArg,
    *,
    task: ScoredTasksOpt = None,
    method: ScoredMethodsOpt = None,
    query: QueryOpt = None,
    candidates: CandidatesOpt = None,
    fdr: FdrOpt = 0.1,
    per: PerOpt = Scored.item,
    split: SplitOpt = None,
    limit: LimitOpt = None,
    missing: MissingOpt = Missing.drop,
    seed: SeedOpt = 0,
    keep: KeepOpt = None,
    report: ReportOpt = None,
    output: OutputOpt = None,
) -> None:
    """Say which items' modalities do not belong together.

    Each item is held against mismatched ones, made of the store itself by putting another item's vector in one
    modality's place. Those are flagged that fit worse than aligned items do, at a false discovery rate; and of three or
    more modalities the one that does not fit is named.

    Example: gram score clips_emb --task t2va --method gram -o scores.csv

    Example: gram score clips_emb --fdr 0.05 --keep clean.csv
    """
    from gramcli.cli.scoring import check_files, give

    with heavy_imports():
        from gramcli.evaluation.score import score

    check_files(session, keep, report, output)
    with session.watch() as watch:
        found = score(
            store, task or (), method or (), query=query, candidates=candidates, fdr=fdr, per=per.value, split=split,
            limit=limit, missing=missing.value, seed=seed, watch=watch,
        )  # fmt: skip
    give(session, store, session.signed(found), (keep, report, output))
    session.finish(EXIT_LEFT_OUT if found.left_out else 0)
