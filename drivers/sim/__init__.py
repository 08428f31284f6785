"""Register-level chips and the seeded world they look at; the production drivers run on them as they are."""
