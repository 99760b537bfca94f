"""Tests of gramcli.training."""
