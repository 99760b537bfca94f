"""`st:NAME_OR_PATH`: models of sentence-transformers, for the modalities that they say they take."""
