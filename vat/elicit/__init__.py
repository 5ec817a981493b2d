"""Answers → judgements → value states."""
