"""Facts in plain English: what a message states, and other wordings of a question. Standard library only."""
