"""How strongly a text holds a value: rankings in windows by judges, and what follows from them."""
