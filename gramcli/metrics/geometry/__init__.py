"""Geometry of embeddings: how a modality fills its space, how two lie to each other, how an item's vectors agree.

`catalog` names every figure with its formula, range, direction and source, and loads nothing heavy. The functions are
in `modality`, `neighbours`, `pair` and `joint`. All look at directions: rows are scaled to unit length in float64.
"""
