"""Dead letters: which ones are meant, what was done about them, and doing it."""
