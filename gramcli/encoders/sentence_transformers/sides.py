"""Which inputs a model embeds twice: as what asks and as what answers, by its prompts or by its routes."""

from __future__ import annotations

from typing import Any, Final

QUERY: Final = "query"
DOCUMENT: Final = "document"
# Where a model keeps what it puts before a document: the library takes the first of these that is there.
DOCUMENT_PROMPTS: Final = (DOCUMENT, "passage", "corpus")
SIDES: Final = (QUERY, DOCUMENT)


def prompts_by_side(prompts: dict[str, str]) -> dict[str, str]:
    """The prompt of each side, empty where there is none.

    Example:
        >>> prompts_by_side({"query": "query: ", "document": "", "passage": "passage: ", "clustering": "c: "})
        {'query': 'query: ', 'document': ''}
        >>> prompts_by_side({"passage": "passage: "})
        {'query': '', 'document': 'passage: '}
    """
    answering = next((prompts[name] for name in DOCUMENT_PROMPTS if name in prompts), "")
    return {QUERY: prompts.get(QUERY) or "", DOCUMENT: answering or ""}


def sided(model: Any, modality: str) -> bool:  # noqa: ANN401 - a SentenceTransformer
    """Whether a model gives one vector of a modality for queries and another for documents.

    Prompts are words: they go before a text. Only a model that takes whole messages puts them before media too.
    """
    first = model[0]
    if _routed(first):
        return True
    prompted = any(prompts_by_side(model.prompts).values())
    if modality in ("text", "subtitle"):
        return prompted or _tells_texts_apart(first)
    return prompted and "message" in model.modalities


def _routed(first: Any) -> bool:  # noqa: ANN401 - the first module
    """Whether the first module sends queries and documents through modules of their own."""
    routes = getattr(first, "sub_modules", None)
    return routes is not None and not {QUERY, DOCUMENT}.isdisjoint(routes.keys())


def _tells_texts_apart(first: Any) -> bool:  # noqa: ANN401 - the first module
    """Whether texts of the two sides are cut at lengths of their own, or queries are expanded."""
    lengths = [getattr(first, name, None) for name in ("query_length", "document_length")]
    return lengths[0] != lengths[1] or getattr(first, "query_expansion", None) is not None
