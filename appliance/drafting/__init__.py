"""Drafting: documents written from a few answers, in the wording of their form and nobody else's."""
