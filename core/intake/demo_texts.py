"""What demo jobs say: harmless phrases, and neutral placeholders for what a moderator would object to."""

from core.jobs.filter import Category

SUBJECTS = (
    *("a lighthouse at dawn", "a city made of paper", "an old library", "a fox in the snow", "a market in the rain"),
    *("a small robot gardener", "mountains above the clouds", "a kitchen in the morning", "two chairs by a window"),
    *("a train through autumn woods", "a harbour full of boats", "a map of an island", "a clock without hands"),
)
STYLES = (
    *("as a watercolour", "in pencil, 30 × 40 cm", 'in the style called "flat design"', "as a woodcut, two colours"),
    *("photographed on film", "for a children's book", "as a poster", "in soft light, wide angle", "pixel by pixel"),
)
REQUESTS = (
    *("Write a short story about {subject}.", "Draw {subject} {style}.", "Describe {subject} in one sentence."),
    *("Please draw {subject}, {style}; no text.", 'Caption for a picture: "{subject}"', "{subject}, {style}, 4k"),
    *("Make a list of ten names for {subject}:\n1.\n2.\n3.", "Translate into French:\r\n{subject}"),
    *("=HYPERLINK of {subject}", "@team: draw {subject}", "+1 for {subject}", "- {subject}\n- {style}"),
    *("🦊🌲 {subject} {style} ✨", "ارسم منارة عند الفجر ({subject})", "צייר מפה של אי: {subject}"),
    *("日本の庭園、{subject}", "Ein Bild von „{subject}“ – schön groß", "É possível desenhar {subject}?"),
)
LONGER = (
    "The light should come from the left, and nothing in the picture may look new.",
    'Somebody in the background says "good morning", but nobody answers.',
    "Use no more than four colours; leave the lower third empty.",
    "The scene is quiet, the season is late autumn, the mood is calm.",
)

# What the wave repeats, each time a little differently.
WAVE = "Draw a harbour full of boats as a poster, number {number}."

# A prompt that bears one of these should be rejected, and one that bears none should pass: that is how a reviewer who
# sees demo jobs knows what is right.
PLACEHOLDERS = {
    Category.AI_ADULT_GENERAL: "[placeholder: text that a moderator would call adult content]",
    Category.UNDERAGE: "[placeholder: text that a moderator would call underage]",
    Category.NSFW: "[placeholder: text that a moderator would call not safe for work]",
}
OTHER_PLACEHOLDER = "[placeholder: text that a moderator would call forbidden]"

# What the check of prompts says of what it rejects.
REASONS = {
    Category.AI_ADULT_GENERAL: "Category: AI adult content, general",
    Category.UNDERAGE: "Category: underage",
    Category.NSFW: "Category: not safe for work",
}
OTHER_REASONS = ("Blocked term, list 7", "Prompt injection, suspected")

# Takes the place of the first of the other reasons from some day on.
NEW_REASON = "Blocked term, list 9"

# The rule that is wrong most of the time: it takes what is drawn of these for a person.
WRONG_REASON = 'Policy "impersonation", section 2'
WRONG_SUBJECTS = ("a small robot gardener", "a clock without hands")
