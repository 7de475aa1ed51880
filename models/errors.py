"""What can go wrong in the factory, said so that whoever runs it knows what to do next."""


class FactoryError(Exception):
    """A step of the factory cannot go on; the message says why and what to do."""


class RecipeError(FactoryError):
    """The recipe is missing or wrong."""


class CorpusError(FactoryError):
    """The text to train on is missing or not in the expected form."""
