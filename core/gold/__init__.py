"""Jobs whose answer is settled, which come back blind to see how far each person's verdicts can be relied on."""
