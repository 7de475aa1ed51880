"""Made-up input, without end: `make fuzz`. Needs atheris, in an environment of its own."""
