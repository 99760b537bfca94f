"""Frame choice: the golden rule, and what must hold for any clip."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gramcli.errors import UserError
from gramcli.media.sampling import FRAME_RULES, all_up_to, frame_rule, middle_of_segment, uniform, uniform_floor

totals = st.integers(1, 5000)
counts = st.integers(1, 200)


def test_middle_of_segment_is_the_rule_of_the_papers(reference_data: Path) -> None:
    cases = json.loads((reference_data / "golden" / "vision.json").read_text(encoding="utf-8"))["frame_rule"]
    assert len(cases) > 20
    for case in cases:
        picks = middle_of_segment(case["total_frames"], case["sample_num"])
        assert picks == case["pmrl_split"]
        assert case["gram_array_split"] in (None, picks)


@given(totals, counts)
def test_middle_of_segment_agrees_with_cutting_the_list(total: int, n: int) -> None:
    expected = [run[(len(run) + 1) // 2 - 1] for run in _runs(total, n) if run]
    expected += [total - 1] * (n - len(expected))
    assert middle_of_segment(total, n) == expected


def _runs(total: int, n: int) -> list[list[int]]:
    frames = list(range(total))
    runs = []
    for left in range(n, 0, -1):
        size = -(-len(frames) // left)
        runs.append(frames[:size])
        frames = frames[size:]
    return runs


@pytest.mark.parametrize("rule", FRAME_RULES.values(), ids=FRAME_RULES)
@given(total=totals, n=counts)
def test_every_rule_gives_ascending_indices_of_the_clip(rule, total: int, n: int) -> None:
    picks = rule(total, n)
    assert len(picks) == (min(n, total) if rule is all_up_to else n)
    assert picks == sorted(picks)
    assert 0 <= picks[0] <= picks[-1] < total
    assert len(set(picks)) == min(n, total)


@given(totals, st.integers(2, 200))
def test_uniform_floor_is_the_arithmetic_of_the_authors_of_pe_av(total: int, n: int) -> None:
    assert uniform_floor(total, n) == [int(i * (total - 1) / (n - 1)) for i in range(n)]


@given(totals, counts)
def test_all_up_to_gives_every_frame_of_a_short_clip(total: int, n: int) -> None:
    expected = list(range(total)) if total <= n else uniform_floor(total, n)
    assert all_up_to(total, n) == expected


@given(totals, st.integers(2, 200))
def test_uniform_spans_the_clip_and_is_symmetric(total: int, n: int) -> None:
    picks = uniform(total, n)
    assert (picks[0], picks[-1]) == (0, total - 1)
    assert all(abs((total - 1 - a) - b) <= 1 for a, b in zip(picks, reversed(picks), strict=True))


@pytest.mark.parametrize("rule", FRAME_RULES.values(), ids=FRAME_RULES)
def test_no_frames_wanted_or_none_there_is_refused(rule) -> None:
    with pytest.raises(UserError, match="at least 1 frame; got 0"):
        rule(10, 0)
    with pytest.raises(UserError, match="a clip of at least 1 frame"):
        rule(0, 8)


def test_an_unknown_rule_is_named_with_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"Unknown frame rule 'unifrom'\. Did you mean 'uniform'"):
        frame_rule("unifrom")
