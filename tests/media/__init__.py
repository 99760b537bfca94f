"""Tests of gramcli.media."""
