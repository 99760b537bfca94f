"""Tests of gramcli.alignment."""
