"""Ids of sessions: those of our making are known without a query, and no others."""

from core.auth.session_ids import SessionIds

KEY, FORMER, OTHER = b"a" * 32, b"b" * 32, b"c" * 32


def test_an_id_is_ours_or_nothing() -> None:
    """Each id is another session; one that is changed anywhere, or signed by somebody else, is none."""
    ids = SessionIds([KEY])
    made = ids.make()

    assert ids.read(made) is not None
    assert ids.read(made) != ids.read(ids.make())
    assert len(made) < 100
    for place in range(len(made)):
        assert ids.read(made[:place] + ("A" if made[place] != "A" else "B") + made[place + 1 :]) is None
    for wrong in ("", ".", made[:-1], made + "x", made + "\n", f" {made}", SessionIds([OTHER]).make()):
        assert ids.read(wrong) is None


def test_ids_outlive_the_rotation_of_their_key() -> None:
    """What a former key signed stays good while it is in the list, and no longer; new ids are the newest key's."""
    made = SessionIds([FORMER]).make()

    assert SessionIds([KEY, FORMER]).read(made) == SessionIds([FORMER]).read(made)
    assert SessionIds([KEY]).read(made) is None
    assert SessionIds([KEY]).read(SessionIds([KEY, FORMER]).make()) is not None
