"""Notebooks become self-contained pages: run, checked, and readable offline."""
