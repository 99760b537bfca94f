"""Models of the Hugging Face hub, through transformers: what a folder is, its preprocessing, and its towers."""
