"""Designs of tests, one file each; their analyses return effects."""
