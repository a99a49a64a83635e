"""The fused engine: many steps of many small factorisations in one launch of compiled code."""
