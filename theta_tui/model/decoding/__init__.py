"""Writing several replies from one reading of the conversation: a fast way for the models that are known exactly, and
a general way for all others. Token ids in, logits out; what is done with them is not known here."""
