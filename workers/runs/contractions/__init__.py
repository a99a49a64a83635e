"""Contractions of named factors, without torch: subscripts, paths, prices and conserved quantities."""
