"""The operands of `compare`: what each one names, and which of them are seeds of one contender."""

from __future__ import annotations

import os.path
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from gramcli.encoders.specs import is_composite
from gramcli.errors import UserError
from gramcli.heads.files import PREFIX
from gramcli.methods import METHODS
from gramcli.results.records import Evaluation
from gramcli.store.reader import Store

if TYPE_CHECKING:
    from gramcli.encoders.base import Encoder

    Operand = str | Path | Store | Evaluation | Encoder

Kind = Literal["evaluation", "json", "store", "model"]
THROUGH: Final = f"+{PREFIX}"
_NAMED: Final = re.compile(r"([^@:/\\,+=*?\[\]]+)=(.+)", re.S)
_PATTERN: Final = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class Run:
    """One evaluation of a contender, made or to be made.

    Attributes:
        text: As given, for messages.
        kind: What `what` is: an evaluation, the JSON of one, a store, or a model that embeds a dataset first.
        what: It, or its path or spec.
        heads: `heads:DIR` through which a store is seen; None without.
        method: After `@`; None leaves it to the options.
    """

    text: str
    kind: Kind
    what: Any
    heads: str | None = None
    method: str | None = None


@dataclass(frozen=True)
class Named:
    """A contender as it was named.

    Attributes:
        name: For tables.
        given: The operands that it was made of.
        runs: Its evaluations: several where it was trained with several seeds.
    """

    name: str
    given: tuple[Any, ...]
    runs: tuple[Run, ...]


def named_operands(operands: Sequence[Operand | Sequence[Operand]], on: str | None, *, models: bool) -> list[Named]:
    """Read operands: `NAME=FILE,FILE` and a pattern are one contender of several seeds, and so is a repeated NAME.

    Args:
        operands: As given to `compare`.
        on: The store through which operands `heads:DIR` are seen; None without.
        models: Whether there is a dataset for models to embed.

    Raises:
        UserError: An operand is not there, a pattern fits nothing, one is named twice, or `on` has no effect.
    """
    found: dict[str, Named] = {}
    others = operands[1:]  # the baseline against itself shows what no difference looks like
    texts = [text for text, given in (_name(str(one)) for one in others if isinstance(one, (str, Path))) if not given]
    if twice := next((text for text in texts if texts.count(text) > 1), None):
        raise UserError("usage", f"{twice} is to be compared twice; name it once, for every test counts in p Holm.")
    for number, one in enumerate(operands):
        if not isinstance(one, (str, Path)):
            made = _made(one, number)
            found[f"\0{number}"] = replace(made, name=_unique(made.name, [other.name for other in found.values()]))
            continue
        name, given = _name(str(one))
        key = name if given else f"\0{number}"
        made_before = [other.name for other in found.values() if any(run.kind == "evaluation" for run in other.runs)]
        before = found.get(key, Named(_unique(name, made_before), (), ()))
        found[key] = replace(before, given=(*before.given, one), runs=(*before.runs, *_read(str(one), on, models)))
    for contender in found.values():
        runs = [run for run in contender.runs if run.kind != "evaluation"]
        places = [_place(run) for run in runs]
        if twice := next((run.text for k, run in enumerate(runs) if places[k] in places[:k]), None):
            raise UserError("usage", f"{contender.name} holds {twice} twice: a seed counts once.")
    if on is not None and not any(run.heads and run.what == on for one in found.values() for run in one.runs):
        raise UserError("usage", f"--on {on} is the store of operands heads:DIR, and there is none. Leave it out.")
    return list(found.values())


def _place(run: Run) -> tuple[str, ...]:
    """Where a run comes from, however its path is written."""
    if run.kind == "model":
        return (run.text,)
    heads = os.path.realpath(run.heads.removeprefix(PREFIX)) if run.heads else ""
    return (os.path.realpath(getattr(run.what, "path", run.what)), heads, run.method or "")


def with_baseline(found: Sequence[Named], baseline: object) -> list[Named]:
    """The contenders with the baseline first.

    Raises:
        UserError: The baseline is none of them.
    """
    if baseline is None:
        return list(found)
    text = str(baseline) if isinstance(baseline, (str, Path)) else None
    for one in found:
        if any(given is baseline for given in one.given) or (text and text in (one.name, *map(_text_of, one.given))):
            return [one, *(other for other in found if other is not one)]
    known = ", ".join(one.name for one in found)
    raise UserError("usage", f"--baseline {text or 'of the call'} is none of the operands. They are: {known}.")


def _text_of(given: object) -> str:
    return str(given) if isinstance(given, (str, Path)) else ""


def _made(one: Any, number: int) -> Named:  # noqa: ANN401 - whatever was handed over
    """What is no text: an evaluation, an open store, an encoder, or a list of such, which is one contender."""
    if isinstance(one, (list, tuple)):
        parts = [_made(part, number) for part in one]
        if not parts:
            raise UserError("usage", "A contender of no seeds: the list of its evaluations is empty.")
        return Named(
            f"{len(parts)} seeds of {parts[0].name}", (one,), tuple(run for part in parts for run in part.runs)
        )
    if isinstance(one, Evaluation):
        return Named(_name_of(one), (one,), (Run("the evaluation", "evaluation", one),))
    if isinstance(one, Store):
        return Named(str(one.path), (one,), (Run(str(one.path), "store", one),))
    if isinstance(one, (str, Path)):
        return Named(str(one), (one,), tuple(_read(str(one), None, models=False)))
    spec = str(getattr(one, "spec", f"{type(one).__name__} {number + 1}"))
    return Named(spec, (one,), (Run(spec, "model", one),))


def _unique(name: str, taken: Sequence[str]) -> str:
    return f"{name} ({1 + sum(other.startswith(name) for other in taken)})" if name in taken else name


def _split_name(text: str) -> tuple[str, str] | None:
    found = None if Path(text).exists() or is_composite(text) else _NAMED.fullmatch(text)
    return (found[1].strip(), found[2]) if found else None


def _name(text: str) -> tuple[str, bool]:
    """What an operand is called, and whether it was given that name."""
    named = _split_name(text)
    return (named[0], True) if named else (text, False)


def _read(text: str, on: str | None, models: bool) -> list[Run]:
    if not text.strip() or text.startswith("@"):
        raise UserError("usage", "An operand of compare is empty. Give a store, STORE@METHOD, or an evaluation's JSON.")
    if text.endswith("=") and not Path(text).exists():
        raise UserError("usage", f"{text} names no file after the =. Give {text}FILE, or {text}FILE,FILE for seeds.")
    named = _split_name(text)
    parts = _parts(named[1]) if named else [text]
    return [run for part in parts for run in _runs(part, on, models)]


def _parts(text: str) -> list[str]:
    """`a.json,b.json` as two; options of a method have commas, too."""
    parts = text.split(",")
    return parts if all(_is_there(part) for part in parts) else [text]


def _is_there(text: str) -> bool:
    base = text.partition(THROUGH)[0]
    return any(
        Path(one).exists() or (_PATTERN.search(one) and _fitting(one)) for one in (base, base.rpartition("@")[0]) if one
    )


def _runs(text: str, on: str | None, models: bool) -> Iterator[Run]:
    base, method = _without_method(text)
    store, plus, heads = base.partition(THROUGH)
    if plus and not Path(base).exists():
        for folder in _expanded(heads):
            yield Run(_again(f"{store}{THROUGH}{folder}", method), "store", store, f"{PREFIX}{folder}", method)
    elif base.startswith(PREFIX) and on is not None:
        for folder in _expanded(base.removeprefix(PREFIX)):
            yield Run(_again(f"{PREFIX}{folder}", method), "store", on, f"{PREFIX}{folder}", method)
    else:
        for path in _expanded(base):
            yield Run(_again(path, method), _kind(path, text, models), path, None, method)


def _again(text: str, method: str | None) -> str:
    return text if method is None else f"{text}@{method}"


def _without_method(text: str) -> tuple[str, str | None]:
    """`STORE@METHOD` apart; a path that exists wins, and after a model only a known method is one."""
    base, at, method = text.rpartition("@")
    if not at or Path(text).exists():
        return text, None
    known = method.partition(":")[0] in METHODS.names()
    there = Path(base).exists() or THROUGH in base or _PATTERN.search(base)
    return (base, method) if known or there else (text, None)


def _fitting(pattern: str) -> list[str]:
    """The paths that a pattern fits, in their order."""
    root = Path(Path(pattern).anchor)
    try:
        return sorted(str(one) for one in root.glob(str(Path(pattern).relative_to(root))))
    except ValueError:  # `**` within a name
        return []


def _expanded(text: str) -> list[str]:
    """The paths that a pattern fits, in their order; what is no pattern stays."""
    if Path(text).exists() or not _PATTERN.search(text):
        return [text]
    found = _fitting(text)
    if not found:
        raise UserError(
            "input", f"{text} fits no file. Give a store, STORE@METHOD, or the JSON that `gram eval` wrote."
        )
    return found


def _kind(text: str, given: str, models: bool) -> Kind:
    path = Path(text)
    if path.is_file() and (not models or path.suffix.lower() == ".json"):
        return "json"
    if (path / "manifest.json").is_file() or (path.is_dir() and not models):
        return "store"
    if models:
        return "model"
    if path.exists():
        raise UserError("input", f"{given} is a pipe, socket or device, not a file. Write it to a file first.")
    if text.startswith(PREFIX):
        raise UserError(
            "usage", f"{given}: heads are seen through a store. Add --on STORE, or write STORE{THROUGH}DIR."
        )
    raise UserError(
        "input", f"{given}: there is no {path}. Give a store, STORE@METHOD, or the JSON that `gram eval` wrote."
    )


def _name_of(evaluation: Evaluation) -> str:
    store = evaluation.provenance.get("store")
    model: Any = evaluation.provenance.get("model")
    heads: Any = model.get("heads") if isinstance(model, dict) else None
    known = isinstance(heads, dict) and heads.get("loss")
    through = f" through {heads['loss']} heads {str(heads.get('sha256'))[:8]}" if known else ""
    return f"{store['path']}{through}" if isinstance(store, dict) and store.get("path") else "evaluation"
