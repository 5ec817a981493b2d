"""Who answers: local transformers, the embedded model, and a scripted one for tests."""
