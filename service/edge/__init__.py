"""The edge: what happens to every request before a route sees it, and how errors become answers."""
