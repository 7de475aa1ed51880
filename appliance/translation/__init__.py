"""Translation: text in, text of the same form out, with what needs a second look marked."""
