"""Parameter Golf submission toolkit: from a recipe to a folder under `records/` that can be submitted."""
