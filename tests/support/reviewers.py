"""Reviewers as processes of their own, who judge new jobs and then rejected ones again, while some are killed.

`python -m tests.support.reviewers URL FILE VERDICTS PERSON…` ends when the queues give nothing to anybody; FILE gets a
line for each verdict of which its reviewer has heard. After so many, on average, one is killed, and comes back at once,
but for the first two people. Prints how many were killed, and for how many of these a job was kept at that moment.
"""

import os
import signal
import sys
import time
from pathlib import Path
from random import Random

import psycopg
from pydantic import SecretStr

from core.actor import Actor, Scope
from core.db.startup import open_databases
from core.jobs.job import find_job
from core.jobs.wall import Wall
from core.review.claims import release_claim
from core.review.queues import Queue, claim_next
from core.review.verdicts import Review, Verdict, record_review
from core.settings import Settings
from tests.support.documents import april

READER = frozenset({Scope.JOB_READ})

# Who leaves for good when killed.
LEAVING = 2

HELD = "SELECT FROM review_claims WHERE person = %s AND ends_at > now()"

# Seconds between two looks at what was heard, on average; and the bytes of a line of it, about.
PAUSE = 0.05
LINE = 44


def main(url: str, file: Path, verdicts: int, people: list[str]) -> None:
    """Let people judge, and kill them: after so many verdicts, and not seconds, however slow the machine is."""
    random, kills, held, leaving = Random(1), 0, 0, set(people[:LEAVING])
    due = random.expovariate(1 / verdicts)
    looker = psycopg.connect(url, autocommit=True)
    file.touch()
    running = {start(url, file, person): person for person in people}
    while running:
        time.sleep(random.expovariate(1 / PAUSE))
        if file.stat().st_size > due * LINE:
            os.kill(random.choice(sorted(running)), signal.SIGKILL)
            due += random.expovariate(1 / verdicts)
        ended, status = os.waitpid(-1, os.WNOHANG)
        while ended:
            person = running.pop(ended)
            if os.WIFEXITED(status) and status:
                sys.exit(f"{person} failed")
            if os.WIFSIGNALED(status):
                kills += 1
                held += looker.execute(HELD, (person,)).rowcount
                if person not in leaving:
                    running[start(url, file, person)] = person
            ended, status = os.waitpid(-1, os.WNOHANG) if running else (0, 0)
    print(kills, held)  # noqa: T201 - its output


def start(url: str, file: Path, person: str) -> int:
    """Start a reviewer; return the number of the process."""
    number = os.fork()
    if number:
        return number
    try:
        judge_all(url, file, person)
    except BaseException as error:
        print(repr(error), file=sys.stderr, flush=True)  # noqa: T201
        os._exit(1)
    os._exit(0)


def judge_all(url: str, file: Path, name: str) -> None:
    """Judge what the queues give until they give nothing."""
    databases, person = open_databases(Settings(database_url=SecretStr(url))), Actor(name, Wall(None), READER)
    heard = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for queue, job_filter in ((Queue.NEW, april()), (Queue.SECOND, april(decision="reject"))):
        place = None
        while (turn := claim_next(databases, person, job_filter, queue, after=place)) is not None:
            with databases.source.transaction() as connection:
                job = find_job(connection, turn.job_id, person.wall)
            assert job is not None
            record_review(databases, person, [job], Review(Verdict.AGREE))
            os.write(heard, f"{turn.job_id} {name}\n".encode())
            release_claim(databases.ours, person, turn.job_id)
            place = turn.after
    os.close(heard)
    databases.close()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
