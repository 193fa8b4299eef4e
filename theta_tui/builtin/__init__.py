"""How the built-in model is made: its recipe, and the conversations that make it teachable."""
