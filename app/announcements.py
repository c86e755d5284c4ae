"""Whom a process wakes when something has changed, here and in other processes."""

from app.storage.db.wakeups import Wakeups


class Announcements:
    """What a request or a loop says it has done; `wakeups` are the process's own."""

    wakeups: Wakeups

    def announce_changes(self) -> None:
        """Wake whoever shows what has changed."""
        self.wakeups.notify("events")

    def announce_texts(self) -> None:
        """Texts were queued or have changed: wake whoever sends or shows them."""
        self.wakeups.notify("outbound")
        self.announce_changes()

    def announce_webhooks(self) -> None:
        """A webhook has changed, or is to be delivered to again: wake whoever does that."""
        self.wakeups.notify("webhooks")
        self.announce_changes()

    def announce_batch(self) -> None:
        """A batch was approved or cancelled: wake whoever makes its texts."""
        self.wakeups.notify("batches")
        self.announce_texts()

    def announce_draft(self, conversation_id: int) -> None:
        """Somebody began or ended writing in that conversation: tell whoever has it open."""
        self.wakeups.pass_on(f"draft conversation-{conversation_id}")

    def announce_read(self) -> None:
        """Texts were marked as read or unread: tell whoever counts them."""
        self.wakeups.pass_on("read")
