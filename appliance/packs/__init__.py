"""Packs: signed-to-be, versioned, installable units of data. Nothing in one is ever executed."""
