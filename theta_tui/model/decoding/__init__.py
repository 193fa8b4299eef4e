"""Several replies from one reading of the conversation: a fast way for the models that `llama.block` knows, and a
general way for all others. Token ids in, logits out."""
