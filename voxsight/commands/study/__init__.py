"""Commands that study corpora and voices: analyse, embeddings, speakers."""
