"""Long statements of migrations: as they were when these were written, whatever the code has become since."""

from core.db.migrations import VERSIONS


def read_statements(name: str, schema: str = "") -> list[str]:
    """Read the statements of a file beside the migrations, for a schema whose quoted name is given.

    Two blank lines part them, because functions have some lines of their own; the first part says what they are.
    """
    text = VERSIONS.joinpath(f"{name}.sql").read_text(encoding="utf-8")
    _, *statements = text.rstrip().split("\n\n\n")
    return [statement.removesuffix(";").replace("{schema}", schema) for statement in statements]
