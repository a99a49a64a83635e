"""Figures: one file per kind, drawn with matplotlib, which is loaded when the first figure is asked for."""
