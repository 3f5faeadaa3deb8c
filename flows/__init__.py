"""The flows: each reads as a story, steps told in order."""
