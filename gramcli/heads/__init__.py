"""Projection heads on frozen embeddings: what `gram align` trains, and what `heads:DIR` names."""
