"""One page per program: the only code that knows the order of the stages."""
