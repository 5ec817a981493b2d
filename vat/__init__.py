"""vat: what pushing a language model toward or away from one human value does to all the others."""

__version__ = "0.1.0"
