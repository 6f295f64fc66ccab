"""The version, where the build reads it too: to ask importlib.metadata costs 35 ms, three times an empty interpreter."""

VERSION = "0.1.0"
