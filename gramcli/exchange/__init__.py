"""Foreign feature files and runs, to and from stores: one file per format, and a catalog of them."""
