"""Tests of gramcli.embedding."""
