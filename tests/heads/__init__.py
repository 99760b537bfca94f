"""Tests of gramcli.heads."""
