"""The command line: one thin file per command; it parses, calls one verb and hands the result to report."""
