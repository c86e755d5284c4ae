"""The service behind its connections, to which the database makes no difference."""

from tests.support.fixtures import on_sqlite
from tests.support.kit import open_kit

kit = on_sqlite(open_kit)
