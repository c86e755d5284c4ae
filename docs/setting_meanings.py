"""What each setting is: its unit or form, and what it means, for docs/reference/settings.md.

Defaults and bounds come from the class itself.
"""

from collections.abc import Mapping

MEANINGS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "The database and the files": {
        "database_url": (
            "URL",
            (
                "`sqlite:///path` or `postgresql://user:password@host/name` ([several "
                "servers, TLS, roles, pgbouncer](../guides/postgresql.md)); empty: a SQLite "
                "file in DATA_DIR"
            ),
        ),
        "data_dir": (
            "folder",
            (
                "The SQLite file, the spool and the generated secrets; mode 0700. Keep it on "
                "a local disk that lasts: network file systems often lack the locks that the "
                "spool needs"
            ),
        ),
        "keep_days": (
            "days",
            (
                "After so many days messages, texts, events, refused forwards, closed alerts "
                "and details of the audit trail are removed for good; counts of days and opt- "
                "outs stay; `0`: never. See [what is kept](data.md)"
            ),
        ),
    },
    "Where it listens": {
        "host": (
            "address",
            (
                "Where it listens: an address, a name, or `unix:PATH`, whose callers count as "
                "127.0.0.1. A socket from systemd is used instead: see "
                "[Restarts](../guides/running.md#restarts)"
            ),
        ),
        "port": (
            "",
            "The port it listens on",
        ),
        "public_url": (
            "URL",
            (
                "The address that people and the provider use, such as "
                "`https://texts.example.com` or `https://example.com/texts`; empty: derived from "
                "HOST and PORT. The pages "
                "accept forms from this address only. See [Behind a "
                "proxy](../guides/proxies.md)"
            ),
        ),
        "processes": (
            "processes",
            "Web processes; more than one on PostgreSQL only",
        ),
        "run_workers": (
            "",
            (
                "Run the workers inside the web process; `docker compose` sets false and runs "
                "`letterbox work`"
            ),
        ),
    },
    "Who may call": {
        "inbound_auth": (
            "8 characters or more",
            (
                "An `auth` value accepted for every number; empty: generated once into "
                "DATA_DIR. Each number can also have its own"
            ),
        ),
        "forwarders": (
            "networks, or `all`",
            (
                "The networks that may call `/inbound`, such as `192.0.2.0/24,2001:db8::/32`: "
                "the provider's, never a proxy's"
            ),
        ),
        "trusted_proxies": (
            "networks",
            (
                "The proxies whose `X-Forwarded-For` or `Forwarded` is believed, such as "
                "`127.0.0.1`; empty: none. See [Behind a proxy](../guides/proxies.md)"
            ),
        ),
        "monitor_networks": (
            "networks",
            (
                "The networks that get `/metrics` and the details of `/readyz`: loopback and "
                "private ones by default. Others get 403, and from `/readyz` the bare "
                "verdict. So does everybody who comes through a proxy that sends "
                "`X-Forwarded-For` and is not trusted, or that hides their address "
                "(`unknown`)"
            ),
        ),
        "api_key": (
            "32 ASCII characters or more",
            ("A key that opens everything, without spaces; empty: generated once into DATA_DIR"),
        ),
        "admin_password": (
            "8 characters or more",
            (
                "A shared password for admins: it opens names that nobody has yet, and those "
                "of admins without a password of their own. Members sign in with their own. "
                "Empty: the first admin comes in by `letterbox login-link`. Changing it ends "
                "the sessions that were started with the old one"
            ),
        ),
    },
    "The provider's account": {
        "provider_url": (
            "URL",
            "The address of the provider's API",
        ),
        "provider_token": (
            "text",
            (
                "The account's token, from NetMessenger's settings; it changes with the "
                "account's password. Empty: Letterbox receives and serves, and refuses what "
                "needs the provider"
            ),
        ),
        "provider_timezone": (
            "time zone",
            "The zone of the provider's times",
        ),
        "default_region": (
            "two letters",
            (
                "The country whose national numbers are understood, as two letters (ISO "
                "3166): with `GB`, 07700 900123 is 447700900123 wherever it is typed or "
                "forwarded"
            ),
        ),
        "low_credits": (
            "credits",
            "An alert is open while the account has fewer credits than this",
        ),
        "reconcile_seconds": (
            "seconds",
            (
                "How often what arrived is compared with the provider's InboundMessages "
                "report; `0`: never"
            ),
        ),
    },
    "Sending": {
        "send_per_second": (
            "texts per second",
            "How many texts are sent per second, across all processes",
        ),
        "send_concurrency": (
            "calls",
            "How many calls to the provider each process makes at once",
        ),
        "send_batch": (
            "numbers",
            (
                "How many numbers of one request go into one call to the provider; fewer at a "
                "low SEND_PER_SECOND, so that no call delays the next by more than ten "
                "seconds"
            ),
        ),
        "uncertain_proof_seconds": (
            "seconds",
            (
                "How long the provider's report must prove a text absent before it is sent "
                "again; `0`: only a person decides"
            ),
        ),
    },
    "Automatic replies": {
        "reply_within_seconds": (
            "seconds",
            (
                "No automatic reply to a text older than this, and none goes out later than "
                "this after the text arrived"
            ),
        ),
        "replies_per_hour": (
            "replies",
            (
                "Automatic replies to one sender from one number within an hour; `0` turns "
                "all of them off"
            ),
        ),
        "replies_per_day": (
            "replies",
            "The same within 24 hours",
        ),
        "reply_quiet_seconds": (
            "seconds",
            (
                "Texts from one sender that arrive within this time get one answer from a "
                "rule, and none from a rule without keyword, contains or pattern once another "
                "rule has answered: a long text may arrive as several. `0`: off"
            ),
        ),
    },
    "Webhooks, notifications and logs": {
        "webhook_networks": (
            "networks",
            (
                "Networks that [webhooks](../guides/webhooks.md) may call though they are not "
                "public, such as `10.1.2.0/24,127.0.0.1`, also by http; empty: none, only "
                "https to public addresses"
            ),
        ),
        "notify": (
            "addresses",
            (
                "[Apprise](../guides/notifications.md) addresses with spaces or commas "
                "between, which get every alert; more are kept on the page *Notifications*"
            ),
        ),
        "log_format": (
            "",
            "`console` for people, `json` in containers",
        ),
        "log_level": (
            "",
            "`debug`, `info`, `warning` or `error`",
        ),
    },
}
