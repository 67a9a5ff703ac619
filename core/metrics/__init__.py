"""Numbers that a monitor reads: how much, how long, how often. No text, key or address of anybody is among them."""
