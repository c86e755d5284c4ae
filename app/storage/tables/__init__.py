"""Every table, by subject. The migrations make them; a test compares the two."""

from app.storage.tables import access as access
from app.storage.tables import batches as batches
from app.storage.tables import conversations as conversations
from app.storage.tables import erasures as erasures
from app.storage.tables import inbound as inbound
from app.storage.tables import operations as operations
from app.storage.tables import outbound as outbound
from app.storage.tables import rules as rules
from app.storage.tables import webhooks as webhooks
