"""The query language: what `where`, `order_by`, `fields`, `group_by` and `metric` say, free of SQL and of HTTP."""
