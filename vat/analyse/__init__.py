"""Runs → tables and figures."""
