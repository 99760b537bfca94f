"""Is an encoder sound? Asked through the protocol alone, by `gram doctor MODEL`, and in part by every `gram embed`."""
