"""Queues in words: what each kind holds, and what one that people share asks for."""

from core.review.queues import Queue
from core.review.saved_queues import Settings

QUEUES = {
    Queue.NEW: "Not reviewed yet",
    Queue.SECOND: "Second opinion",
    Queue.DISAGREED: "Two disagree",
    Queue.ESCALATED: "Escalated",
}


def say_settings(settings: Settings) -> str:
    """Say what a queue is, beside its jobs and its name."""
    said = [QUEUES[settings.kind], "oldest first" if settings.is_oldest_first else "newest first"]
    needs = [word for word, is_needed in _list_needs(settings) if is_needed]
    if needs:
        said.append(f"a verdict needs {' and '.join(needs)}")
    if settings.is_growing:
        said.append("with jobs that arrive later")
    if settings.people is not None:
        said.append("for 1 person" if len(settings.people) == 1 else f"for {len(settings.people):,} people")
    if settings.last_day is not None:
        said.append(f"to be done by {settings.last_day:%Y-%m-%d}")
    return f"{', '.join(said)}."


def _list_needs(settings: Settings) -> list[tuple[str, bool]]:
    return [("a note", settings.needs_note), ("categories", settings.needs_categories)]
