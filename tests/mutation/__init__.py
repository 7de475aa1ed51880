"""Checks taken out one by one, to see that a test notices: `python -m tests.mutation.archives`."""
