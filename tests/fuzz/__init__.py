"""Every file that gram writes or reads, damaged in every way, through every command that reads it."""
