"""The named ways a sent message can go."""

FINAL_WORDS = frozenset(
    {"Delivered", "Failed", "Expired", "Command_Rejected", "Command_Failed", "Undeliverable"}
)

ENDINGS: dict[str, tuple[tuple[str, str], ...]] = {
    "Delivered": (("sent", "Sent"), ("settled", "Delivered")),
    "Failed": (("sent", "Sent"), ("settled", "Failed")),
    "Undeliverable": (("sent", "Sent"), ("settled", "Undeliverable")),
    "Expired": (("sent", "Sent"), ("expiry", "Expired")),
    "Command_Rejected": (("sent", "Command_Rejected"),),
    "Command_Failed": (("sent", "Command_Failed"),),
    "stays-pending": (),
    "stays-sent": (("sent", "Sent"),),
    "stays-unknown": (("sent", "Sent"), ("settled", "Unknown")),
    "unknown-then-delivered": (("sent", "Sent"), ("settled", "Unknown"), ("late", "Delivered")),
    "unheard-of-word": (("sent", "Sent"), ("settled", "Buffered"), ("late", "Delivered")),
    "sent-after-delivered": (("sent", "Sent"), ("settled", "Delivered"), ("late", "Sent")),
    "delivered-after-an-hour": (("sent", "Sent"), ("hour", "Delivered")),
    "failed-then-delivered": (("sent", "Sent"), ("settled", "Failed"), ("late", "Delivered")),
}
"""The named ways a message can go, each as moments after it is due and the word from then on."""
