"""The query language of `where`, `order_by`, `fields`, `group_by` and `metric`, independent of SQL and HTTP."""
