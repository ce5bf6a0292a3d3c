"""Beyond the answer: features, speakers and embeddings."""
