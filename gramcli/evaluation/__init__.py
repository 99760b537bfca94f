"""The `eval`, `compare` and `matrix` verbs: stores in, figures out."""
