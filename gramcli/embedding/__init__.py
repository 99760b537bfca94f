"""The `embed` verb: media in, a store out."""
