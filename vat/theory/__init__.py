"""What values exist: items, groups, definitions, the circle."""
