"""The secrets that all processes share: as they were set, or as they were generated."""

from dataclasses import dataclass, field

from app.settings import Settings
from app.storage.spool.data_dir import DataDir


@dataclass(frozen=True, slots=True)
class SharedSecrets:
    """What every process must have alike; `generated` names those that nobody set."""

    inbound_auth: str = field(repr=False)
    api_key: str = field(repr=False)
    generated: frozenset[str]


def find_secrets(settings: Settings, data_dir: DataDir) -> SharedSecrets:
    """The secrets as they were set, or as they were generated into DATA_DIR. Raises SetupError."""
    inbound_auth, api_key = settings.inbound_auth, settings.api_key
    return SharedSecrets(
        inbound_auth.get_secret_value() if inbound_auth else data_dir.load_secret("inbound_auth"),
        api_key.get_secret_value() if api_key else data_dir.load_secret("api_key"),
        frozenset(
            name
            for name, secret in {"inbound_auth": inbound_auth, "api_key": api_key}.items()
            if secret is None
        ),
    )
