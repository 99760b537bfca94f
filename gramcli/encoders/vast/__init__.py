"""The VAST family: GRAM, PMRL, TRIANGLE and VAST checkpoints."""
