"""The rights of the source's role: it reads both tables whole, and had better not be able to write."""

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, text

from core.check.columns import WANTED
from core.check.finding import Finding, advice, ok, problem
from core.check.relation import Relation

_ROLE = text("""
    SELECT rolsuper, rolbypassrls, quote_ident(current_user) AS name, quote_ident(current_database()) AS database
    FROM pg_roles WHERE rolname = current_user
""")

_RIGHTS = text("""
    SELECT has_table_privilege(oid, 'SELECT') AS may_read, pg_has_role(relowner, 'USAGE') AS is_owner,
        ARRAY(
            SELECT right_ FROM unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) AS right_
            WHERE has_table_privilege(oid, right_)
        ) AS writes
    FROM pg_class WHERE oid = CAST(:oid AS oid)
""")

_POLICIES = text("""
    SELECT relrowsecurity AS has_policies, row_security_active(oid) AS hides
    FROM pg_class WHERE oid = CAST(:oid AS oid)
""")


def check_reading(connection: Connection, relations: Sequence[Relation]) -> Iterator[Finding]:
    """Tell whether the role may read every column that is needed."""
    role = connection.execute(_ROLE).one()
    for relation in relations:
        may_read = connection.execute(_RIGHTS, {"oid": relation.oid}).one().may_read
        if may_read or all(
            relation.columns[column.name].is_readable
            for column in WANTED[relation.name]
            if column.name in relation.columns
        ):
            yield ok(f"The role {role.name} can read `{relation.name}`.")
        else:
            yield problem(
                f"The role {role.name} cannot read `{relation.name}`: grant it, as its owner.",
                f"GRANT SELECT ON {relation.place} TO {role.name};",
            )


def check_policies(connection: Connection, relations: Sequence[Relation]) -> Iterator[Finding]:
    """Tell whether row-level security may hide rows."""
    role = connection.execute(_ROLE).one()
    for relation in relations:
        places = {relation.place: relation.oid}
        if relation.is_view:
            places = {stored.place: stored.oid for stored in relation.behind}
        for place, oid in places.items():
            policy = connection.execute(_POLICIES, {"oid": oid}).one()
            if policy.has_policies and relation.is_view:
                yield advice(
                    f"{place} has row-level security, which counts for whoever owns the view `{relation.name}`: see "
                    "that it hides no rows from that role."
                )
            elif policy.hides:
                yield advice(
                    f"Row-level security of {place} shows the role {role.name} only what its policies allow, so that "
                    "exports lack the rest: give it a policy for all rows, if they are to be whole.",
                    f"CREATE POLICY fencepost ON {place} FOR SELECT TO {role.name} USING (true);",
                )
            elif policy.has_policies:
                yield ok(f"Row-level security of {place} does not apply to the role {role.name}: it sees all rows.")


def check_writing(connection: Connection, relations: Sequence[Relation]) -> Iterator[Finding]:
    """Tell whether the role could write. Fencepost does not, and need not be believed."""
    role = connection.execute(_ROLE).one()
    able = []
    if role.rolsuper:
        able.append("is a superuser")
    elif role.rolbypassrls:
        able.append("passes row-level security (BYPASSRLS)")
    for relation in relations:
        rights = connection.execute(_RIGHTS, {"oid": relation.oid}).one()
        if rights.is_owner and not role.rolsuper:
            able.append(f"owns `{relation.name}`")
        elif rights.writes and not role.rolsuper:
            able.append(f"has {', '.join(rights.writes)} on `{relation.name}`")
    if not able:
        yield ok(f"The role {role.name} cannot write what it reads.")
        return
    schemas = dict.fromkeys(relation.place.split(".")[0] for relation in relations)
    yield advice(
        f"The role {role.name} {' and '.join(able)}. Fencepost opens every transaction read-only; use a role that can "
        "read and nothing else all the same, and give it a password.",
        "CREATE ROLE fencepost_reader LOGIN;",
        *(f"GRANT USAGE ON SCHEMA {schema} TO fencepost_reader;" for schema in schemas),
        f"GRANT SELECT ON {', '.join(relation.place for relation in relations)} TO fencepost_reader;",
        f"ALTER ROLE fencepost_reader IN DATABASE {role.database} SET search_path = {', '.join(schemas)};",
    )
