"""The JSON Schema of recipes, for editors and checkers that know nothing of wakekit."""
