"""Every figure of geometry is described, points at code that exists, and loads nothing heavy to be listed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from gramcli.metrics.geometry.catalog import GEOMETRY, GeometryMeasure, measures


@pytest.mark.parametrize("measure", list(GEOMETRY), ids=lambda measure: measure.name)
def test_a_row_is_whole(measure: GeometryMeasure) -> None:
    function = GEOMETRY.load(measure.name)
    assert callable(function)
    for word in ("Formula", "Range", "Source:"):
        assert word in " ".join(function.__doc__.split()) or measure.source == "-" or function.__name__ == "instances"
    assert measure.formula
    assert measure.reading.split()[0] in {"higher:", "lower:", "neither", "what"}


def test_kinds_and_methods() -> None:
    assert {measure.method for kind in ("modality", "pair") for measure in measures(kind)} == {"geometry"}
    assert {measure.method for measure in measures("joint")} == {"gram", "pmrl"}
    assert {"gramian_value", "eigenvalue_max", "eigenvector_uniformity"} <= set(GEOMETRY.names())


def test_listing_loads_no_torch() -> None:
    code = "import sys, gramcli.metrics.geometry.catalog; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
