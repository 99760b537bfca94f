"""Tests of gramcli.datasets."""
