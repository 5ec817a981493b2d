"""From one command to many jobs."""
