"""What changes the model."""
