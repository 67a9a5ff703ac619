"""Commands that forget: by age, or for good."""
