"""Whatever happens to a spool, every acknowledged record is delivered, in order, at least once."""

import errno
import itertools
import shutil
import tempfile
from collections import defaultdict
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from app.storage.spool.segments import encode_record, find_record
from app.storage.spool.spool import Spool, SpoolError, adopt
from tests.support.faulty_disk import Crash, FaultyDisk

groups = st.lists(st.binary(max_size=120), min_size=1, max_size=6)


class SpoolOfOneProcessAfterAnother(RuleBasedStateMachine):
    """Records are numbered as they are tried, so that their order shows in them."""

    @initialize(segment_bytes=st.integers(min_value=1, max_value=700))
    def start(self, segment_bytes: int) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="letterbox-spool-"))
        self.numbers = itertools.count()
        self.names = itertools.count()
        self.segment_bytes = segment_bytes
        self.tried: defaultdict[str, dict[int, bytes]] = defaultdict(dict)
        self.acknowledged: defaultdict[str, list[int]] = defaultdict(list)
        self.delivered: defaultdict[str, list[int]] = defaultdict(list)
        self.cuts_worked = True
        self.begin_process()

    def begin_process(self) -> None:
        self.disk = FaultyDisk(syncs=False)
        self.spool = Spool.create(
            self.root,
            make_id=lambda: f"p{next(self.names)}",
            segment_bytes=self.segment_bytes,
            files=self.disk,
        )
        self.released = 0

    def number(self, group: list[bytes]) -> tuple[list[int], list[bytes]]:
        numbers = [next(self.numbers) for _ in group]
        records = [b"%06d" % n + filler for n, filler in zip(numbers, group, strict=True)]
        self.tried[self.spool.id].update(zip(numbers, records, strict=True))
        return numbers, records

    def read_on(self, spool: Spool, last: int, max_records: int) -> int | None:
        """Reads and releases one batch of what comes behind the record `last`; its last number."""
        batch = spool.read(max_records=max_records, max_bytes=300)
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
        call=st.sampled_from(["pwrite", "fsync", "fsync-folder", "open"]),
        room=st.integers(min_value=0, max_value=200),
        also=st.sets(st.sampled_from(["ftruncate", "unlink"])),
    )
    def append_while_the_disk_fails(
        self, group: list[bytes], call: str, room: int, also: set[str]
    ) -> None:
        numbers, records = self.number(group)
        if call == "pwrite":
            self.disk.room = room
        else:
            self.disk.fail(call, errno.EIO)
        for name in also:
            self.disk.fail(name, errno.EIO)
        try:
            self.spool.append(records)
        except SpoolError:
            self.cuts_worked &= not also
        else:
            self.acknowledged[self.spool.id] += numbers
        self.disk.heal()

    @rule(max_records=st.integers(min_value=1, max_value=8), removes=st.booleans())
    def drain_a_batch(self, max_records: int, removes: bool) -> None:
        done = self.delivered[self.spool.id]
        if not removes:
            self.disk.fail("unlink", errno.EIO)
        before = len(done)
        self.read_on(self.spool, done[-1] if done else -1, max_records)
        self.released += len(done) - before
        self.disk.heal()

    @rule(
        group=groups,
        written=st.integers(min_value=0, max_value=900),
        zeros=st.sampled_from([0, 0, 3, 600]),
    )
    def crash_while_appending(self, group: list[bytes], written: int, zeros: int) -> None:
        _, records = self.number(group)
        self.disk.crash_after = written
        try:
            self.spool.append(records)
        except Crash:
            pass
        else:
            raise AssertionError("the process outlived its crash")
        self.disk.die()
        *_, last = sorted(self.spool.folder.glob("*.segment"))
        if zeros and written < sum(len(encode_record(record)) for record in records):
            with last.open("ab") as file:
                file.write(b"\0" * zeros)
        self.begin_process()

    @rule(closes=st.booleans())
    def end_process(self, closes: bool) -> None:
        if closes:
            self.spool.close()
        self.disk.die()
        self.begin_process()

    @rule(batches=st.integers(min_value=0, max_value=5), closes=st.booleans())
    def adopt_and_drain(self, batches: int, closes: bool) -> None:
        disk = FaultyDisk(syncs=False)
        adoption = adopt(self.root, files=disk)
        assert adoption.failures == []
        for spool in adoption.spools:
            last: int | None = -1
            for _ in range(batches):
                last = None if last is None else self.read_on(spool, last, max_records=4)
            if closes:
                spool.close()
            assert spool.damaged == [] or not self.cuts_worked
        disk.die()

    @precondition(lambda self: hasattr(self, "spool"))
    @invariant()
    def the_depth_is_what_was_acknowledged_and_not_released(self) -> None:
        assert self.spool.depth == len(self.acknowledged[self.spool.id]) - self.released

    def teardown(self) -> None:
        if not hasattr(self, "root"):
            return
        self.disk.die()
        self.adopt_and_drain(batches=10_000, closes=True)
        for name, numbers in self.acknowledged.items():
            wanted = set(numbers)
            firsts = dict.fromkeys(n for n in self.delivered[name] if n in wanted)
            assert list(firsts) == numbers
        assert {path.name for path in self.root.iterdir()} <= {"damaged"}
        shutil.rmtree(self.root)


SpoolOfOneProcessAfterAnother.TestCase.settings = settings(
    max_examples=60, stateful_step_count=25, deadline=None
)
TestSpoolOfOneProcessAfterAnother = SpoolOfOneProcessAfterAnother.TestCase


@settings(deadline=None)
@given(
    records=st.lists(st.binary(max_size=40), max_size=8),
    spans=st.lists(st.tuples(st.integers(0, 500), st.binary(min_size=1, max_size=30)), max_size=3),
)
def test_only_damaged_records_are_lost_from_any_segment(
    records: list[bytes], spans: list[tuple[int, bytes]]
) -> None:
    content = bytearray(b"".join(map(encode_record, records)))
    for start, garbage in spans:
        content[start : start + len(garbage)] = garbage[: max(0, len(content) - start)]
    sound, offset = [], 0
    for record in records:
        stop = offset + len(encode_record(record))
        if bytes(content[offset:stop]) == encode_record(record):
            sound.append(record)
        offset = stop
    found, offset = [], 0
    while (hit := find_record(bytes(content), offset)) is not None:
        _, offset, record = hit
        found.append(record)
    assert found == sound
