"""Exports: what became of each, and whether a file is a complete one."""

from dashboard.exports_page import show
from dashboard.people import find_person
from dashboard.resources import get_resources

show(lambda: find_person(get_resources().settings))
