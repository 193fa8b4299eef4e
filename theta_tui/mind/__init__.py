"""The model: the only room that imports torch and transformers. It knows nothing of journals or screens."""
