"""Opens the provider account that the settings name."""

from app.domain.errors import NoProvider
from app.provider.client import ProviderClient
from app.settings import Settings

# Simultaneous calls to the provider, besides those that send.
OTHER_CALLS = 8


def open_provider(settings: Settings) -> ProviderClient:
    """The client of the account; nothing is connected yet.

    It keeps no pace: SEND_PER_SECOND is shared by all processes, so whoever sends takes its turn
    in the database. Raises NoProvider without a token.
    """
    token = settings.provider_token.get_secret_value() if settings.provider_token else ""
    if not token:
        raise NoProvider
    return ProviderClient(
        token,
        url=settings.provider_url,
        zone=settings.zone,
        # Status checks must not delay a text whose lease is already running.
        concurrency=settings.send_concurrency + OTHER_CALLS,
    )
