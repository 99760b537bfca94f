"""What specs of encoders mean, by their form alone."""

from __future__ import annotations

import pytest

from gramcli.encoders.specs import is_composite, own_code, parts_of, runs_code
from gramcli.errors import UserError


@pytest.mark.parametrize(
    ("spec", "parts"),
    [
        ("text=st:org/a,video=hf:org/b@main", {"text": "st:org/a", "video": "hf:org/b@main"}),
        ("text=st:a,b/c:truncate_dim=64,audio=signal", {"text": "st:a,b/c:truncate_dim=64", "audio": "signal"}),
        ("video=/data/a=b,c.pt,text=signal", {"video": "/data/a=b,c.pt", "text": "signal"}),
        ("image=x:y", {"image": "x:y"}),
    ],
)
def test_a_comma_parts_two_only_where_a_modality_follows(spec, parts):
    assert is_composite(spec)
    assert dict(parts_of(spec)) == parts


@pytest.mark.parametrize("spec", ["signal", "st:org/text=a", "texts=signal", "/data/text=signal", "", "text"])
def test_no_composite(spec):
    assert not is_composite(spec)


@pytest.mark.parametrize(
    ("spec", "said"),
    [("text=signal,text=st:a", "for text twice"), ("text=,video=signal", "names no encoder for text")],
)
def test_a_composite_that_cannot_be(spec, said):
    with pytest.raises(UserError, match=said):
        parts_of(spec)


@pytest.mark.parametrize(
    ("spec", "own"),
    [
        ("a.b_c:make", ("a.b_c", "make")),
        ("models:Mine", ("models", "Mine")),
        ("a-b:make", None),
        ("a.b:make:more", None),
        ("a/b:make", None),
        ("a:", None),
        (":make", None),
        ("st:org/model", None),
    ],
)
def test_own_code_is_two_words_with_a_colon(spec, own):
    assert own_code(spec) == own


@pytest.mark.parametrize(
    ("spec", "runs"),
    [("mine:make", True), ("text=signal,video=mine:make", True), ("st:model", False), ("heads:dir", False),
     ("text=st:a,text=st:b", False), ("signal", False)],
)  # fmt: skip
def test_what_could_have_code_imported(spec, runs):
    if "text=st:a,text" in spec:
        with pytest.raises(UserError, match="twice"):
            runs_code(spec)
    else:
        assert runs_code(spec) == runs
