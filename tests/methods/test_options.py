"""Method options written on the command line."""

from __future__ import annotations

import pytest

from gramcli.errors import UserError
from gramcli.methods import get_method
from gramcli.modalities import parse_task


def test_options_take_the_type_of_their_field():
    assert get_method("gram:log=true").log is True
    assert get_method("gram:log=False").log is False
    assert get_method("pmrl:value=softmax,tau=0.2").tau == 0.2


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gram:log=no", "gram: log is true or false; got 'no'"),
        ("triangle:squared=1", "triangle: squared is true or false"),
        ("pmrl:tau=abc", "pmrl: tau is a finite number; got 'abc'"),
        ("pmrl:tau=nan", "tau is a finite number; got 'nan'"),
        ("pmrl:value=x", "pmrl has no value 'x'"),
        ("gram:", "ends in a colon"),
        ("gram:log", "is not option=value"),
        ("cosine:x=1", "It takes none"),
        ("gramm", "Did you mean 'gram'"),
    ],
)
def test_a_wrong_option_is_one_sentence(name, message):
    with pytest.raises(UserError, match=message):
        get_method(name)


def test_one_task_has_one_name():
    assert parse_task("t2ia") == parse_task("t2ai")
    assert parse_task("va2t").name == "va2t"
    assert parse_task("av2t").name == "va2t"
