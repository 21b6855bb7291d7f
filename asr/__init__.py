"""Train your own small, private, offline speech recogniser."""

__version__ = "0.1.0"
