"""The template, with the script that its policy admits by hash."""

from __future__ import annotations

import base64
import hashlib
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from gramcli import __version__
from gramcli.report.escaping import html

_TEMPLATE: Final = "page.html.j2"


def rendered(**parts: Any) -> str:  # noqa: ANN401 - what the template names
    """Return the page; whatever of `parts` is not Markup is escaped where it is printed."""
    loader = PackageLoader("gramcli", "report/page")
    environment = Environment(
        loader=loader,
        autoescape=True,
        finalize=_as_text,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = loader.get_source(environment, "page.js")[0].strip()
    style = loader.get_source(environment, "page.css")[0]
    own = {"css": Markup(style), "script": Markup(script)}  # noqa: S704 - both files are ours
    return environment.get_template(_TEMPLATE).render(version=__version__, digest=policy_hash(script), **own, **parts)


def policy_hash(script: str) -> str:
    """Return what a Content-Security-Policy names a script by: the sha256 of its text."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"


def _as_text(value: object) -> object:
    """Escape whatever the template prints; what is Markup is ours, and jinja escapes no Markup again."""
    return value if isinstance(value, Markup) else Markup(html(value))  # noqa: S704 - escaped here
