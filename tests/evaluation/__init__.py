"""Tests of gramcli.evaluation."""
