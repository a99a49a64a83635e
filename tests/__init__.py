"""Tests; see CONTRIBUTING.md."""

import gc

gc.disable()  # until all tests are collected (tests/conftest.py): on the way collections are a fifth of the time
