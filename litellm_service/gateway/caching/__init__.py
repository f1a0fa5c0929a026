"""Answers that are given again to the same question of the same caller."""
