"""Whether two connections can share a snapshot, as the workers of an export do: it is tried."""

from core.check.finding import Finding, advice, ok
from core.db.database import Database
from core.errors import FencepostError
from core.export.node_copy import NodesUnusable, connected_nodes
from core.export.snapshot import take_snapshot


async def check_snapshot(source: Database) -> Finding:
    """Export a snapshot from one connection and import it into another. Raises `DatabaseUnavailable`."""
    topology = source.topology()
    if topology.is_distributed:
        return await _try_nodes(source)
    leader = await source.connect_for_export()
    try:
        with source.translated_errors():
            _, name = await take_snapshot(leader, topology, shared=True)
        if name is None:
            return _alone("it gives none out")
        try:
            follower = await source.connect_for_export(beside=leader, snapshot=name)
        except FencepostError:
            return _alone("a second connection does not get it, as through a pooler")
        await follower.close()
        return ok("Connections can share a snapshot, so that an export uses several.")
    finally:
        await leader.close()


async def _try_nodes(source: Database) -> Finding:
    """Connect to the nodes of Citus, as an export does."""
    coordinator = await source.connect_for_export()
    try:
        async with connected_nodes(source, coordinator) as nodes:
            way = f"It asks the {len(nodes)} nodes themselves."
    except NodesUnusable as unusable:
        way = f"It goes through the coordinator, which takes longer: {unusable}."
    finally:
        await coordinator.close()
    return advice(
        "The nodes of Citus share no snapshot: an export reads each as it was within moments of the others, and its "
        f'receipt says so, as "snapshot": "per-node" (see docs/large.md). {way}'
    )


def _alone(why: str) -> Finding:
    return advice(
        f"Connections cannot share a snapshot ({why}), so that exports use one connection and take longer: connect to "
        "PostgreSQL itself, if that is possible."
    )
