"""What to do about each kind of alert, by severity: when it is open, then the runbook."""

from typing import NamedTuple


class Entry(NamedTuple):
    """`open_while` completes "Open while …"; `advice` is a paragraph with code in backquotes."""

    open_while: str
    advice: str


CRITICAL: dict[str, Entry] = {
    "sender-stopped": Entry(
        "sending has stopped: the account cannot send (`account`), what answers is not the"
        " provider's API (`configuration`), or the provider has been unreachable, broken or asking"
        " for fewer calls for two minutes (`provider`)",
        "Nothing goes out until this is fixed; texts wait and expire at their time limit. Read the"
        " reason in the alert. `account`: sign in to NetMessenger and check the credits, the"
        " account and LETTERBOX_PROVIDER_TOKEN, which changes with the account's password."
        " `configuration`: check LETTERBOX_PROVIDER_URL and look for a proxy that answers instead."
        " `provider`: run `letterbox credits` on the same machine; if it fails, check the network,"
        " the name server and the provider's status. Sending resumes without help once a call"
        " succeeds.",
    ),
    "loop-failing": Entry(
        "a loop of a process fails or makes no progress, until it works again or its process has"
        " been gone for five minutes",
        "The alert names the loop and the process: `handling` answers texts, `sending` sends them,"
        " `checking` follows statuses, `notifying` sends notifications. Letterbox keeps retrying."
        " Look for `turn_failed` with that loop in the log of the process. A full disk, a lock held"
        " by another program or a missing permission are common causes. If the cause is not clear,"
        " restart the process: nothing is lost.",
    ),
    "process-vanished": Entry(
        "a web process vanished, until another one has taken over its spool",
        "Its spool may hold texts that were acknowledged and are not in the database yet. Start"
        " Letterbox on that machine with the same DATA_DIR: it stores them within half a minute. If"
        " the disk is lost, run `letterbox reconcile --from … --to …` for the hours before it"
        " vanished: it stores what the provider's report has.",
    ),
    "spool-damaged": Entry(
        "a file in the spool could not be read, until somebody has removed it",
        "Texts may have been lost. Check the disk (`dmesg`, `smartctl`). Run `letterbox reconcile"
        " --from … --to …` for that time: it stores what the provider's report has. Keep a copy of"
        " the file in `spool/damaged` if you want to examine it, then remove it there, which closes"
        " the alert.",
    ),
    "spool-moved": Entry(
        "a process's spool was removed, moved, cut short or hidden while it was in use; closes"
        " after a week",
        "Find out what touched DATA_DIR: a clean-up job, a synchronising client, a second mount. If"
        " the file was moved, put it back beside the new one, and it is stored within half a"
        " minute. Otherwise run `letterbox reconcile --from … --to …` for that time.",
    ),
    "spool-unusable": Entry(
        "the disk of a machine cannot store texts while its database is unavailable",
        "While both are away, forwards are refused with 503 and the provider may not repeat them."
        " Make room on the disk of DATA_DIR or make it writable, and bring the database back."
        " Afterwards run `letterbox reconcile --from … --to …` for the time of the outage.",
    ),
    "disk-full": Entry(
        "the disk of DATA_DIR is almost full, has few inodes left, or can only be read",
        "Free space on that disk: at least a twentieth of it must be free, and 200 MiB. `du -xh"
        " DATA_DIR` shows what is large; old copies of the SQLite file can go. A disk that can only"
        " be read was usually remounted after an error: read `dmesg` before you mount it again.",
    ),
    "database-file": Entry(
        "the SQLite file was removed, replaced, overwritten or damaged while the service ran",
        "Texts wait in the spool meanwhile. If the file was moved or replaced, stop Letterbox, put"
        " the right file back and start it. If it is damaged, restore a copy, then run `letterbox"
        " reconcile --from … --to …` for the time since that copy. Copy the file only with"
        " Letterbox stopped or with SQLite's `.backup`.",
    ),
    "database-emptied": Entry(
        "the database held no text at a start, but had held some before; closes after a week",
        "Usually a lost volume, or a DATABASE_URL that names another database. Unless you meant to"
        " start afresh: stop Letterbox, point it at the right database or restore a copy, start it"
        " again, and run `letterbox reconcile --from … --to …` for the time since the copy.",
    ),
    "forward-refused": Entry(
        "a forward to a number of yours was refused for its `auth` value, its address, its path or"
        " its method, until a correct one has arrived and none was refused for ten minutes; this"
        " also applies to a number that came with a right `auth` value, and before the first text"
        " ever to any number (`first-forward`)",
        "Texts to this number are being lost. Compare the forwarding URL on the provider's page,"
        " with its `auth` value, with the number's page here; `letterbox numbers rotate-auth` makes"
        " a new value. If the address was refused, add the provider's network to"
        " LETTERBOX_FORWARDERS. Then run `letterbox reconcile --from … --to …` for the gap.",
    ),
}

WARNING: dict[str, Entry] = {
    "texts-failed": Entry(
        "texts of ours failed, were not delivered or expired and nobody has dealt with them, one"
        " alert for each of the three; a text counts for two weeks",
        "Open “Needs attention” in the inbox. Each conversation says what the provider answered."
        " Write to the person again, or mark the conversation as done. A text to a list or group is"
        " in the outbox: open it and mark it as dealt with. If many texts failed at once, look at"
        " the account's credits and at the provider's answers in the outbox first.",
    ),
    "webhook-disabled": Entry(
        "a webhook is disabled because it answered 410 or failed for five days, until it is enabled"
        " or removed",
        "Nothing is delivered to it. Its page under Webhooks shows the last deliveries with what"
        " the endpoint answered. Once the program behind it works again, enable it: events of the"
        " last seven days that it has missed are delivered then. Remove it if nobody needs it.",
    ),
    "webhook-gap": Entry(
        "a webhook was behind by more than the seven days for which events are kept; closes after a"
        " week",
        "The events between were never delivered to it. Have the program behind it read the lists"
        " of the interface (`/messages`, `/outbound`, `/opt-outs`) for that time.",
    ),
    "webhook-secret": Entry(
        "nothing can be delivered to a webhook because LETTERBOX_API_KEY has changed since its"
        " secret was created",
        "The secrets of webhooks are derived from that key. Create a new secret on the webhook's"
        " page and give it to the program behind it, or set the old key again. Events of the last"
        " seven days are delivered then.",
    ),
    "number-silent": Entry(
        "a number has had no text for three times its longest pause of 28 days, and six hours at"
        " least",
        "Text the number yourself. If the text arrives, people were just quiet. If not, compare the"
        " number's forwarding URL on the provider's page with `letterbox numbers list`, look at the"
        " rejected requests, check that the service can be reached from outside, and run `letterbox"
        " reconcile --from … --to …` for the time since the last text.",
    ),
    "messages-missing": Entry(
        "texts were only in the provider's report, until there were none for a day",
        "These texts were never forwarded and came late, from the report. Look at the forwarding"
        " URL on the provider's page and at the rejected requests: usually the service could not be"
        " reached at that time, or the `auth` value was wrong.",
    ),
    "reconcile-failed": Entry(
        "the report cannot be compared, or no comparison has succeeded for three times"
        " RECONCILE_SECONDS, and half an hour at least",
        "Run `letterbox report InboundMessages --from … --to …` and see what comes. Check the"
        " account and LETTERBOX_PROVIDER_TOKEN. Until it works, nobody notices a text that was"
        " never forwarded.",
    ),
    "provider-timezone": Entry(
        "nearly all of the newest forwards differ from their `receivedts` by what time zones can"
        " differ by: PROVIDER_TIMEZONE is wrong",
        "Set LETTERBOX_PROVIDER_TIMEZONE to the zone of the provider's times and restart. Until"
        " then `received_at` is wrong by that much, and reports are asked for the wrong hours.",
    ),
    "old-texts": Entry(
        "ten or more of the newest twenty forwards arrived more than 14 hours after their"
        " `receivedts`",
        "Ask the provider whether texts were held up or are being sent again. They are stored in"
        " any case. Pause the rules on the rules page if old texts should not be answered.",
    ),
    "reply-too-long": Entry(
        "a rule's reply was too long once its placeholders were filled, until the rule is changed",
        "Shorten the rule's reply, or what fills its placeholders. The texts that it did not answer"
        " are in the outbox as failed; answer them by hand.",
    ),
    "low-credits": Entry(
        "the account has fewer credits than LOW_CREDITS",
        "Buy credits in NetMessenger; the overview forecasts how long they last. If the alert comes"
        " too early or too late for you, set LETTERBOX_LOW_CREDITS to another number.",
    ),
    "statuses-cannot-be-followed": Entry(
        "the provider's Messages report is unusable, so texts are checked one by one",
        "Run `letterbox report Messages --from … --to …` and show the provider what it answers."
        " Until it works, delivery statuses come late, and uncertain texts wait for a person.",
    ),
    "provider-id-repeated": Entry(
        "the provider gave one id to two texts; closes after a week",
        "A status of that id may belong to either text. Compare both in the outbox with the"
        " provider's Messages report, and tell the provider.",
    ),
    "notify-failing": Entry(
        "messages to a notification address have failed at least twice in a row, until one gets"
        " through or the address is disabled or removed",
        "People are not told of alerts there. The notifications page shows the last error. Press"
        " Send test after each change. Typical causes are an expired token, a changed mail password"
        " or a server that this machine cannot reach. An address of LETTERBOX_NOTIFY is corrected"
        " there, and the service restarted. Nothing is lost meanwhile: what was not told comes in"
        " one message once it works.",
    ),
    "uncertain": Entry(
        "it is unknown whether a text was accepted, and only a person can decide",
        "Look for the text in the provider's Messages report (`letterbox report Messages --from …"
        " --to …`). Then open it in the outbox and resolve it: sent, not sent, or send again."
        " Texts to the same person wait until then.",
    ),
    "late-answer": Entry(
        "an answer came after an uncertain text was decided; closes after a week",
        "The text may have gone out twice. Look at it in the outbox and in the provider's Messages"
        " report. If it happens often, calls take too long: check the network to the provider.",
    ),
    "clock-skew": Entry(
        "the clock of a machine differs from the database's by more than five seconds",
        "Have NTP (chrony, systemd-timesyncd) keep both machines' clocks right. Letterbox uses the"
        " database's clock meanwhile, so nothing is wrong as long as that one is right.",
    ),
    "clock-step": Entry(
        "a clock was set by more than five seconds, has stopped or drifts, until an hour later",
        "Find out what set the clock (NTP, a hypervisor, a person) and have NTP keep it right."
        " Times that were stored just before are wrong by as much.",
    ),
    "message-refused": Entry(
        "a file in the spool holds a text that the database cannot store, until somebody has"
        " removed it",
        "The file in `spool/refused` holds the whole text. Read it, report it to Letterbox's"
        " developers, then remove the file, which closes the alert.",
    ),
    "spool-foreign": Entry(
        "a spool in this DATA_DIR belongs to another database, and is left for it",
        "Start Letterbox once with this DATA_DIR and the database that the alert names: it stores"
        " the texts there. Services with different databases need separate folders.",
    ),
    "untrusted-proxy": Entry(
        "an address that is not in TRUSTED_PROXIES sends `X-Forwarded-For` or `Forwarded`, until"
        " it has sent none for a day",
        "If it is your proxy, and it writes that header itself, add it to"
        " LETTERBOX_TRUSTED_PROXIES. Otherwise somebody tries to choose their address; nothing"
        " believes them. Never add a proxy to LETTERBOX_FORWARDERS. docs/guides/proxies.md has"
        " examples.",
    ),
    "too-large": Entry(
        "a forward over 64 KiB arrived within the last day",
        "The rejected requests have the addresses. The provider's texts are far smaller, so it is"
        " usually a stranger. If it is the provider, ask what it sent: it was not stored.",
    ),
}

INFO: dict[str, Entry] = {
    "sender-paused": Entry(
        "somebody has paused sending",
        "Resume it on the overview page when the reason is gone. Texts whose time is over meanwhile"
        " expire.",
    ),
}
