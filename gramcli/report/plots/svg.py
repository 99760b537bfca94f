"""What matplotlib's SVG becomes: smaller, in the ink of its page, with words for those who cannot see it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from gramcli.report.escaping import html
from gramcli.report.plots.style import INK

_NUMBER: Final = re.compile(r"-?\d+\.\d{3,}")
_ROUNDED: Final = re.compile(r'(?<=\s)(?:d|x|y|transform|points|width|height)="[^"]*"')
_IDS: Final = re.compile(r' id="([^"]*)"')
_USED: Final = re.compile(r'(?:url\(#|href="#)([^")]*)')
_FONTS: Final = re.compile(r" font-family: [^;\"]*;?| transform=\"rotate\(-0 [^\"]*\"")
_UNSEEN: Final = re.compile(r'<path d="[^"]*" style="fill: none"/>\n')
_IDLE: Final = re.compile(r"<g>\n(<(?!/?g\b)[^\n]*\n)?</g>\n")
_STYLE: Final = (
    "<style>svg{color:#000;background:#fff;font-family:sans-serif}"
    "@media(prefers-color-scheme:dark){svg{color:#e8e8e8;background:#14161a}}</style>"
)


def within_page(text: str, caption: str, hover: Mapping[str, tuple[str, ...]]) -> str:
    """Return matplotlib's SVG as an element of a page.

    Args:
        text: The document.
        caption: What screen readers say instead.
        hover: Id of a group -> what each mark in it says.
    """
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    for group, words in hover.items():
        text = _with_titles(text, group, words)
    text = _FONTS.sub("", text)
    text = _ROUNDED.sub(lambda found: _NUMBER.sub(_shorter, found[0]), text)
    used = set(_USED.findall(text))
    text = _IDS.sub(lambda found: found[0] if found[1] in used else "", text)
    text = re.sub(r"\s*\n\s*", "\n", re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL))
    text = re.sub(r"\n(?=[^<\n]*/>)|\n(?=[A-Za-z\"])", " ", text)
    text = _without_idle_groups(_UNSEEN.sub("", text))
    text = text.replace(INK, "currentColor")
    return text.replace("<svg", f'<svg role="img" aria-label="{html(caption)}"', 1).strip() + "\n"


def alone(element: str, caption: str) -> str:
    """Return an element as a document of its own: dark where its reader's screen is, else black on white."""
    start = element.index(">") + 1
    head = '<?xml version="1.0" encoding="utf-8"?>\n'
    return f"{head}{element[:start]}\n<title>{html(caption)}</title>{_STYLE}{element[start:]}"


def _without_idle_groups(text: str) -> str:
    """Take away groups without attributes around one element, or around nothing."""
    before = ""
    while before != text:
        before, text = text, _IDLE.sub(r"\1", text)
    return text


def _shorter(found: re.Match[str]) -> str:
    return f"{float(found[0]):.2f}".rstrip("0").rstrip(".")


def _with_titles(text: str, group: str, words: tuple[str, ...]) -> str:
    """Give every mark of a group its words, in the order in which the marks were drawn."""
    start = text.index(f'<g id="{group}">')
    end = _end_of_group(text, start)
    said: Iterator[str] = iter(words)
    marks = re.sub(
        r"<use ([^>]*)/>", lambda found: f"<use {found[1]}><title>{html(next(said))}</title></use>", text[start:end]
    )
    return text[:start] + marks + text[end:]


def _end_of_group(text: str, start: int) -> int:
    depth = 0
    for found in re.compile(r"<g\b|</g>").finditer(text, start):
        depth += 1 if found[0] == "<g" else -1
        if not depth:
            return found.end()
    return len(text)
