"""Commands of `baraza` that fill a file of their own; `appliance/cli.py` puts them together."""
