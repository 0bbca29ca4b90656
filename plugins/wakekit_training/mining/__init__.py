"""What hard-negative mining is made of: where it looks, how it scores and chooses, and its review list."""
