"""The instrument itself: scenes and actions that a language model writes, checked one by one, and what is known about them."""
