"""The `inspect` and `doctor` verbs: what a path is and holds, and what works on this machine."""
