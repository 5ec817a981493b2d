"""Datasets written by a language model, and what people say of them."""
