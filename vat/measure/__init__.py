"""What a value gained and what it cost the others; numbers only."""
