"""Commands about who may come in: keys of programs, rights of people."""
