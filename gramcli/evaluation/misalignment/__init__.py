"""Which items' modalities do not belong together: each held against mismatched ones made from the same store."""
