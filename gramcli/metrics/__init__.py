"""Numbers from scores or embeddings: ranks, retrieval figures, significance."""
