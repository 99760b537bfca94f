"""The test suite; mirrors gramcli/."""
