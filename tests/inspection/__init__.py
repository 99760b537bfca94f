"""Tests of gramcli.inspection."""
