"""How much: models, prices, usage, token estimates."""
