"""Facts in English messages, and other wordings of a question. Standard library only."""
