"""One self-contained HTML page for a result: no network, light and dark, from phone to print.

Everything but the names below is found late: the processes that decode media for it load none of the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gramcli.catalog import late_names

if TYPE_CHECKING:
    from gramcli.report.page.pages import alignment_page, answer_page, comparison_page, page, scores_page
    from gramcli.report.page.saved import write_report

_PAGES: Final = ("alignment_page", "answer_page", "comparison_page", "page", "scores_page")
_HOMES: Final = {**dict.fromkeys(_PAGES, "pages"), "write_report": "saved"}
__all__ = ["alignment_page", "answer_page", "comparison_page", "page", "scores_page", "write_report"]
__getattr__ = late_names(__name__, _HOMES)
