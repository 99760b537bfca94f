"""items.csv comes back as it was written, whatever ids and reasons hold."""

import io

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gramcli.errors import UserError
from gramcli.store.items import ItemRow, format_items, in_columns, parse_items

NASTY = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12) | st.sampled_from(
    ['"', ",", "\r", "\n", "a\r\nb", '","', " lead", "\ufeff", "\x00", "NA", "日本, \U0001f600", "=1+1", "é"]
)
STATUS = st.just("ok") | st.just("absent") | NASTY.map(lambda reason: f"failed: {reason}")
ROW = st.builds(
    ItemRow,
    id=NASTY,
    split=st.none() | NASTY,
    label=st.none() | NASTY,
    captions=st.integers(0, 3),
    status=st.fixed_dictionaries({"text": STATUS, "video": STATUS}),
)


@given(st.lists(ROW, max_size=6))
def test_round_trip(rows: list[ItemRow]) -> None:
    text = format_items(in_columns(rows), ["text", "video"])
    assert parse_items(text, "items.csv") == tuple(rows)


@given(st.lists(st.lists(ROW, min_size=1, max_size=3), max_size=4), st.booleans())
def test_parts_are_written_as_one_table(parts: list[list[ItemRow]], alike: bool) -> None:
    if alike:  # in nothing but their ids
        parts = [[ItemRow(row.id, None, None, 0, parts[0][0].status) for row in part] for part in parts]
    columns = [one for part in parts for one in in_columns(part)]
    whole = [row for part in parts for row in part]
    assert format_items(columns, ["text", "video"]) == slowly(whole, ["text", "video"])
    assert [row for one in columns for row in one] == whole
    assert all(one[-1] == part[-1] and list(one[1:]) == part[1:] for one, part in zip(columns, parts, strict=True))


def slowly(rows: list[ItemRow], modalities: list[str]) -> str:
    """items.csv a field at a time."""
    lines, start = [["id", "split", "label", "text_start", "text_end", *modalities]], 0
    for row in rows:
        end = start + row.captions
        states = [row.status[name] for name in modalities]
        lines.append([row.id, row.split or "", row.label or "", str(start), str(end), *states])
        start = end
    return "".join(",".join(map(quoted, line)) + "\n" for line in lines)


def quoted(field: str) -> str:
    return '"' + field.replace('"', '""') + '"' if set(field) & set(',"\r\n') else field


def test_pandas_reads_it() -> None:
    rows = [
        ItemRow('a,"b"\r\nc', None, "dog", 2, {"video": "failed: x, y"}),
        ItemRow("é", "val", None, 1, {"video": "ok"}),
    ]
    table = pd.read_csv(io.BytesIO(format_items(in_columns(rows), ["video"]).encode()), keep_default_na=False)
    assert list(table["id"]) == ['a,"b"\r\nc', "é"]
    assert list(table["text_start"]) == [0, 2]
    assert list(table["text_end"]) == [2, 3]
    assert list(table["video"]) == ["failed: x, y", "ok"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "items.csv is damaged"),
        ("id,label\n", "its header is not id,split"),
        ("id,split,label,text_start,text_end,video\na,,,0,0\n", "line 2: 5 fields where the header has 6"),
        ("id,split,label,text_start,text_end\na,,,zero,0\n", "line 2: 'zero' is no number of rows"),
        ("id,split,label,text_start,text_end\na,,,0,9999999999999999999\n", "is no number of rows"),
        (
            "id,split,label,text_start,text_end\na,,,0,2\nb,,,1,3\n",
            "line 3: the text of item 'b' cannot be rows 1 to 3",
        ),
        ('id,split,label,text_start,text_end\n"a,,,0,0\n', "items.csv is damaged"),
    ],
)
def test_other_files_are_refused(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse_items(text, "items.csv")
