"""Figures from ranks, labels or embeddings, with their uncertainty."""
