"""What `wakekit new` writes: plugin packages and recipes, from templates, whole or not at all."""
