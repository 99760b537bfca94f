"""Figures of results: a catalog of kinds, one file per kind, and the SVG, PDF and PNG they become.

This package's own import is light; matplotlib loads when something is drawn.
"""
