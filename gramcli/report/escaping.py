r"""What a text becomes where it leaves: one function for each medium, called at the exit and nowhere else.

Ids, labels, splits, file names, names of models and tensors and the messages of decoders are written by others. They
may hold sequences that steer a terminal, marks that turn the order of letters round, letters that nobody sees, tags,
links and formulas. Here they become text that shows what it is. JSON needs none of this: it is exact, and in ASCII.
"""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import replace
from html import escape
from typing import Final

from gramcli.report.answer import Table

_UNSEEN_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
# Letters and marks by their category, but of no shape: a joiner, fillers of Hangul and Khmer, Mongolian selectors.
_UNSEEN: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0")
_SELECTORS: Final = range(0xFE00, 0xFE10)  # say how the sign before them looks; after another they say nothing
_MORE_SELECTORS: Final = range(0xE0100, 0xE01F0)

_JOINERS: Final = frozenset("\u200c\u200d")
# The scripts in which a joiner, or its opposite, changes how letters look.
_JOINING: Final = (
    "ARABIC", "SYRIAC", "NKO", "MONGOLIAN", "DEVANAGARI", "BENGALI", "GURMUKHI", "GUJARATI", "ORIYA", "TAMIL", "TELUGU",
    "KANNADA", "MALAYALAM", "SINHALA", "KHMER", "MYANMAR",
)  # fmt: skip

_LONGEST_WORD: Final = 300  # a path of many folders may have so many
_LONGEST_SENTENCE: Final = 2000
_LONG_WORD: Final = re.compile(rf"\S{{{_LONGEST_WORD + 1},}}")

_FORMULA: Final = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")

# What both CommonMark and Python-Markdown take back: a backslash where each knows it, else a reference by number.
_SCRIPT: Final = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}

_MARKDOWN: Final = str.maketrans(
    {
        "&": "&amp;", "<": "&lt;", ">": "&gt;", "$": "&#36;", "~": "&#126;",
        "\\": r"\\", "|": r"\|", "`": r"\`", "*": r"\*", "#": r"\#",
    }
)  # fmt: skip
_LATEX: Final = str.maketrans(
    {
        "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}", "^": r"\^{}",
        "~": r"\textasciitilde{}", "\\": r"\textbackslash{}", "|": r"\textbar{}",
        "<": r"\ensuremath{<}", ">": r"\ensuremath{>}",
    }
)  # fmt: skip
_LINKS: Final = (
    (re.compile(r"(?<![^\W_])_|_(?![^\W_])"), r"\\_"),  # inside of a word it makes nothing: aggregation_gain
    (re.compile(r"\](?=\()"), r"\\]"),
    (re.compile(r":(?=//)"), "&#58;"),
    (re.compile(r"(?<=www)\.", re.IGNORECASE), "&#46;"),
    (re.compile(r"(?<![A-Za-z0-9])@|@(?=[\w-]+\.)"), "&#64;"),
)


def terminal(text: object) -> str:
    r"""Return `text` on one line, with what a terminal would not show, or would obey, written out.

    That is what Unicode calls control, format, private, unassigned and surrogate characters and line separators: escape
    sequences, marks of direction, letters of no width. Line breaks and tabs become blanks. Accents, all scripts and
    pictures stay as they are, also what joins their letters where that is spelling.

    Example:
        >>> terminal("red\x1b[31m"), terminal("a\u202egpj.mp4"), terminal("two\nlines")
        ('red\\x1b[31m', 'a\\u202egpj.mp4', 'two lines')
    """
    return _written(re.sub(r"[\n\t\r]", " ", str(text)), "")


def paragraphs(text: str) -> str:
    """Return text of our own that holds line breaks, such as a usage message or a traceback; else as `terminal`."""
    return _written(text, "\n")


def shortened(text: str) -> str:
    """Return a sentence of a bearable length: what it quotes of others is cut within, its own beginning and end stay.

    Args:
        text: As `terminal` leaves it.

    Example:
        >>> len(shortened("The id " + "x" * 200_000 + " is unknown; correct it.")) < 400
        True
        >>> shortened("a short one.")
        'a short one.'
    """
    text = _LONG_WORD.sub(lambda found: _cut(found[0], _LONGEST_WORD), text)
    return _cut(text, _LONGEST_SENTENCE)


def _cut(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    start, end = most * 2 // 3, most // 4
    return f"{text[:start]}[... {len(text) - start - end:,} more ...]{text[-end:]}"


def terminal_table(table: Table) -> Table:
    """Return a table with everything in it as `terminal` shows it, so that widths can be counted."""
    columns = tuple(map(terminal, table.columns))
    rows = tuple(tuple(map(terminal, row)) for row in table.rows)
    left = frozenset(map(terminal, table.left))
    return replace(table, columns=columns, rows=rows, left=left, title=terminal(table.title))


def html(text: object) -> str:
    """Return `text` as the text of an HTML page or of an attribute in quotes.

    Example:
        >>> html("<b>&")
        '&lt;b&gt;&amp;'
    """
    return escape(terminal(text))


def script_json(value: object) -> str:
    r"""Return a value as JSON that may stand in a script element of a page: nothing in it ends or opens anything.

    Args:
        value: JSON-able, its strings as `terminal` shows them.

    Example:
        >>> script_json(["</script>", "a&b"])
        '["\\u003c/script\\u003e","a\\u0026b"]'
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.translate(_SCRIPT)


def markdown(text: object) -> str:
    r"""Return `text` as one cell of a Markdown table: no bar, tag, link, picture, code, formula or emphasis.

    Example:
        >>> markdown("a|b <script>"), markdown("[x](http://y)"), markdown("aggregation_gain")
        ('a\\|b &lt;script&gt;', '[x\\](http&#58;//y)', 'aggregation_gain')
    """
    found = terminal(text).translate(_MARKDOWN)
    for pattern, instead in _LINKS:
        found = pattern.sub(instead, found)
    return found


def latex(text: object) -> str:
    r"""Return `text` as one cell of a LaTeX table: no command, and no bracket or star after the end of a row.

    Example:
        >>> latex("50 % of a_b"), latex("[x]")
        ('50 \\% of a\\_b', '{[}x]')
    """
    return re.sub(r"^(\s*)([\[*])", r"\1{\2}", terminal(text).translate(_LATEX))


def csv_cell(value: object) -> object:
    """Return a value as a cell of a CSV file: text that a spreadsheet would compute begins with an apostrophe.

    Example:
        >>> csv_cell("=1+1"), csv_cell("-0.5"), csv_cell(-0.5), csv_cell("clip")
        ("'=1+1", '-0.5', -0.5, 'clip')
    """
    if not isinstance(value, str):
        return value
    formula = (_FORMULA.match(value) or value[:1] in "\t\r") and value and not _NUMBER.fullmatch(value)
    return f"'{terminal(value)}" if formula else terminal(value)


def _written(text: str, kept: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    parts, before = [], " "
    for place, letter in enumerate(text):
        if ord(letter) in _SELECTORS:
            seen = _selects(before)
        elif letter in _JOINERS:
            seen = _joins(before, text[place + 1 : place + 2])
        else:
            seen = letter in kept or _is_seen(letter)
        parts.append(letter if seen else letter.encode("unicode_escape").decode("ascii"))
        before = letter
    return "".join(parts)


def _joins(before: str, after: str) -> bool:
    """Say whether a joiner between two signs is spelling: in scripts whose letters join, and in joined pictures."""
    if unicodedata.category(after or " ") == "So":
        return unicodedata.category(before) in ("So", "Sk", "Mn")  # a skin tone or a selector may stand between
    return all(unicodedata.name(sign or " ", "").startswith(_JOINING) for sign in (before, after))


def _is_seen(letter: str) -> bool:
    hidden = unicodedata.category(letter) in _UNSEEN_CATEGORIES or letter in _UNSEEN
    return not hidden and ord(letter) not in _MORE_SELECTORS


def _selects(before: str) -> bool:
    """Say whether a sign can have more than one look: pictures, digits of keys, ideographs."""
    category = unicodedata.category(before)
    return category[0] in "SNP" or category == "Lo"
