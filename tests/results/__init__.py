"""Tests of gramcli.results."""
