"""Measure how well a model aligns its modalities: `gram embed`, `gram eval`, `gram compare`."""

__version__ = "0.1.0"
