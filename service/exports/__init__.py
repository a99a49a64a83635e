"""Exports: tables as streams of JSON, CSV, NDJSON, Arrow and Parquet, free of SQL and of HTTP."""
