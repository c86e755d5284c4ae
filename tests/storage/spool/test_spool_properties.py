"""Whatever happens to a spool, every acknowledged record is delivered, in order, at least once."""

import errno
import itertools
import os
import shutil
import tempfile
from collections import defaultdict
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from app.storage.durable import SpoolError
from app.storage.spool.adoption import adopt
from app.storage.spool.record_file import find_wal
from app.storage.spool.spool import Spool
from tests.support.storage.faulty_disk import FaultyDisk
from tests.support.storage.spools import drain, leave_as_killed, write_dead_spool

groups = st.lists(st.binary(max_size=2500), min_size=1, max_size=6)


def make_place() -> Path:
    return Path(tempfile.mkdtemp(prefix="letterbox-", dir=os.environ.get("PYTEST_DEBUG_TEMPROOT")))


class SpoolOfOneProcessAfterAnother(RuleBasedStateMachine):
    """Records are numbered as they are tried, so that their order shows in them."""

    @initialize()
    def start(self) -> None:
        self.root = make_place()
        self.numbers = itertools.count()
        self.names = (f"p{number}.1" for number in itertools.count())
        self.tried: defaultdict[str, dict[int, bytes]] = defaultdict(dict)
        self.acknowledged: defaultdict[str, list[int]] = defaultdict(list)
        self.delivered: defaultdict[str, list[int]] = defaultdict(list)
        self.begin_process()

    def begin_process(self) -> None:
        self.spool = Spool.create(self.root, self.names)
        self.released = 0

    def number(self, group: list[bytes]) -> tuple[list[int], list[bytes]]:
        numbers = [next(self.numbers) for _ in group]
        records = [b"%06d" % n + filler for n, filler in zip(numbers, group, strict=True)]
        self.tried[self.spool.id].update(zip(numbers, records, strict=True))
        return numbers, records

    def read_on(self, spool: Spool, last: int, max_records: int) -> int | None:
        """Reads and releases one batch of what comes behind the record `last`; its last number."""
        batch = spool.read(max_records=max_records, max_bytes=3000)
        if batch is None:
            return None
        for record in batch.records:
            number = int(record[:6])
            assert number > last
            assert self.tried[spool.id][number] == record
            last = number
            self.delivered[spool.id].append(number)
        spool.release(batch)
        return last

    @rule(group=groups)
    def append(self, group: list[bytes]) -> None:
        numbers, records = self.number(group)
        self.spool.append(records)
        self.acknowledged[self.spool.id] += numbers

    @rule(
        group=groups,
        room=st.none() | st.integers(min_value=0, max_value=30_000),
        after=st.integers(min_value=0, max_value=12),
    )
    def append_while_the_disk_fails(self, group: list[bytes], room: int | None, after: int) -> None:
        numbers, records = self.number(group)
        with FaultyDisk().installed() as disk:
            disk.room = room
            if room is None:
                disk.fail("sqlite-pwrite", errno.EIO, after=after)
            try:
                self.spool.append(records)
            except SpoolError:
                return
        self.acknowledged[self.spool.id] += numbers

    @rule(max_records=st.integers(min_value=1, max_value=8), removes=st.booleans())
    def drain_a_batch(self, max_records: int, removes: bool) -> None:
        done = self.delivered[self.spool.id]
        before = len(done)
        with FaultyDisk().installed() as disk:
            if not removes:
                disk.fail("sqlite-pwrite", errno.ENOSPC, times=9)
            self.read_on(self.spool, done[-1] if done else -1, max_records)
        self.released += len(done) - before

    @rule(group=groups, after=st.integers(min_value=0, max_value=12))
    def crash_while_appending(self, group: list[bytes], after: int) -> None:
        numbers, records = self.number(group)
        with FaultyDisk().installed() as disk:
            disk.fail("sqlite-pwrite", errno.EIO, times=999, after=after)
            try:
                self.spool.append(records)
            except SpoolError:
                pass
            else:
                self.acknowledged[self.spool.id] += numbers
        leave_as_killed(self.spool, self.root)
        self.begin_process()

    @rule(closes=st.booleans())
    def end_process(self, closes: bool) -> None:
        if closes:
            self.spool.close()
        else:
            leave_as_killed(self.spool, self.root)
        self.begin_process()

    @rule(batches=st.integers(min_value=0, max_value=5), closes=st.booleans())
    def adopt_and_drain(self, batches: int, closes: bool) -> None:
        adoption = adopt(self.root)
        assert (adoption.failures, adoption.damaged) == ([], [])
        for spool in adoption.spools:
            last: int | None = -1
            for _ in range(batches):
                last = None if last is None else self.read_on(spool, last, max_records=4)
            if closes or not spool.depth:
                spool.close()
            else:
                leave_as_killed(spool, self.root)
            assert not spool.is_damaged

    @precondition(lambda self: hasattr(self, "spool"))
    @invariant()
    def the_depth_is_what_was_acknowledged_and_not_released(self) -> None:
        assert self.spool.depth == len(self.acknowledged[self.spool.id]) - self.released

    def teardown(self) -> None:
        if not hasattr(self, "root"):
            return
        leave_as_killed(self.spool, self.root)
        self.adopt_and_drain(batches=10_000, closes=True)
        for name, numbers in self.acknowledged.items():
            wanted = set(numbers)
            firsts = dict.fromkeys(n for n in self.delivered[name] if n in wanted)
            assert list(firsts) == numbers
        assert {path.name for path in self.root.iterdir()} <= {".probe"}
        shutil.rmtree(self.root)


SpoolOfOneProcessAfterAnother.TestCase.settings = settings(
    max_examples=40, stateful_step_count=25, deadline=None
)
TestSpoolOfOneProcessAfterAnother = SpoolOfOneProcessAfterAnother.TestCase


@settings(deadline=None, max_examples=100)
@given(
    batches=st.lists(
        st.lists(st.binary(max_size=600), min_size=1, max_size=9), min_size=2, max_size=8
    ),
    in_place=st.booleans(),
    spans=st.lists(
        st.tuples(st.floats(0, 0.999), st.binary(min_size=1, max_size=30)), min_size=1, max_size=3
    ),
)
# The name of a column in the schema.
@example(batches=[[b""], [b""]], in_place=True, spans=[(0.3203125, b"0")])
def test_no_damage_anywhere_alters_a_record_or_loses_one_untold(
    batches: list[list[bytes]], in_place: bool, spans: list[tuple[float, bytes]]
) -> None:
    """But the last append of a killed process: damage to that looks like a write cut short."""
    place = make_place()
    root = place / "spool"
    path = write_dead_spool(root, *batches, in_place=in_place)
    target = path if in_place else find_wal(path)
    content = bytearray(target.read_bytes())
    for where, garbage in spans:
        start = int(where * len(content))
        content[start : start + len(garbage)] = garbage[: len(content) - start]
    target.write_bytes(content)
    records = [record for batch in batches for record in batch]
    adoption = adopt(root)
    assert adoption.failures == []
    delivered = [record for spool in adoption.spools for record in drain(spool)]
    for spool in adoption.spools:
        spool.close()
    rest = iter(records)
    assert all(record in rest for record in delivered)
    is_told = bool(
        adoption.damaged or [each for spool in adoption.spools for each in spool.damaged]
    )
    acknowledged_for_sure = len(records) if in_place else len(records) - len(batches[-1])
    assert is_told or len(delivered) >= acknowledged_for_sure
    shutil.rmtree(place)
