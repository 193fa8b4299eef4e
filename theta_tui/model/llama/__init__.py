"""Llama and its nearest kin: the block that all of this program computes them by, and the model without
Transformers."""
