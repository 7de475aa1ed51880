"""Health: one small check a file. `baraza doctor` and the page about the box show what they find."""
