"""Schwartz's ten values and 56 items, on their circle (Schwartz 1992). The words are in schwartz.yaml."""

from pathlib import Path

from vat.theory.base import Theory, load_theory

SCHWARTZ: Theory = load_theory(Path(__file__).with_name("schwartz.yaml"))
