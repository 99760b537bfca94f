"""Plain records that verbs return, and their JSON; nothing heavy loads here."""
