"""Training stages: thin programs launched with `accelerate launch -m`."""
