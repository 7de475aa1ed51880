"""Power cuts: what a process did to its files is recorded, and the box is started on what a cut may leave of it."""
