"""How long rows are kept and what is forgotten: by age each day, and for good where somebody asks for it."""
