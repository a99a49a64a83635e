"""The version of this installation: finding it reads files, which no request should."""

from importlib.metadata import version

VERSION = version("rankward")
