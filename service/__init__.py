"""The house around the laboratory: HTTP, the database, the dispatcher, the command line."""
