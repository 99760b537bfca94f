"""The `align` verb: a store in, projection heads out."""
