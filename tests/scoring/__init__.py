"""Tests of gramcli.scoring."""
