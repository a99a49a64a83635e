"""Figures: a file per kind turns runs into a picture described without any library; two renderers draw pictures.

`picture` is what can be said, `kinds` who says it, `renderers` who draws it. Nothing here knows a database or HTTP.
"""
