"""Synthetic traffic: a shop with known truth, and plain load. Nobody in it exists."""

from pipeline.demo.load import load_stream

__all__ = ["load_stream"]
