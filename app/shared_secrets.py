"""The secrets that all processes share, either set or generated."""

from dataclasses import dataclass, field

from app.settings import Settings
from app.storage.data_dir import DataDir


@dataclass(frozen=True, slots=True)
class SharedSecrets:
    """The same in every process; `generated` names those that were not set."""

    inbound_auth: str = field(repr=False)
    api_key: str = field(repr=False)
    generated: frozenset[str]


def find_secrets(settings: Settings, data_dir: DataDir) -> SharedSecrets:
    """The secrets from the settings, or generated into DATA_DIR. Raises SetupError."""
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
