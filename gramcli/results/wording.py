"""Figures of a test in words, wherever a sentence or a cell says them."""

from __future__ import annotations


def p_text(p_value: float | None) -> str:
    """Return a p-value with three decimals, `<0.001` below that, a dash where there is none.

    Example:
        >>> p_text(0.0341), p_text(2e-9), p_text(None), p_text(0.0498)
        ('0.034', '<0.001', '-', '0.0498')
    """
    if p_value is None:
        return "-"
    if p_value < 0.05 <= round(p_value, 3):
        return f"{p_value:.4f}"
    return f"{p_value:.3f}" if p_value >= 0.001 else "<0.001"


def p_sentence(p_value: float | None) -> str:
    """Return `p = 0.034`, or `p < 0.001`.

    Example:
        >>> p_sentence(0.0341), p_sentence(2e-9)
        ('p = 0.034', 'p < 0.001')
    """
    text = p_text(p_value)
    return f"p {text[0]} {text[1:]}" if text.startswith("<") else f"p = {text}"


def letter(place: int) -> str:
    """Return what the contender at a place is called: A is the baseline.

    Example:
        >>> letter(0), letter(2), letter(26)
        ('A', 'C', 'AA')
    """
    more, last = divmod(place, 26)
    return (letter(more - 1) if more else "") + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[last]


def letters_of(labels: tuple[str, str], names: tuple[str, ...]) -> tuple[str, str]:
    """Return the letters of a row's two labels; a label is a name, or a name with `@METHOD` after it.

    Example:
        >>> letters_of(("emb@cosine", "other@cosine"), ("emb", "third", "other"))
        ('A', 'C')
    """
    b = labels[1] if labels[1] in names[1:] else labels[1].rpartition("@")[0]
    return letter(0), letter(names.index(b, 1) if b in names[1:] else 1)
