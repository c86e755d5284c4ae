"""Rules that are imported or changed answer, or are silent, in every process from then on."""

from pathlib import Path

from tests.e2e.stores import PostgresStore
from tests.support.service import run_command, running, wait_until

RULES = "- name: All\n  reply: Hello {name|there}\n"
UNHANDLED = "SELECT count(*) FROM messages WHERE handled_at IS NULL"


def test_changes_of_rules_hold_in_every_process(
    postgres_store: PostgresStore, tmp_path: Path
) -> None:
    url = postgres_store.url
    file = tmp_path / "rules.yaml"
    file.write_text(RULES)
    count = 0
    with running(tmp_path / "data", database_url=url, processes=2) as service:
        wait_until(lambda: len(postgres_store.list_processes()) == 2)

        def hear() -> set[str]:
            """What became of a few texts, each from somebody else."""
            nonlocal count
            first = count
            for _ in range(8):
                count += 1
                sender = f"4477009001{count:02}"
                assert service.forward(str(count), source=sender).status == 200
            wait_until(lambda: postgres_store.fetch(UNHANDLED) == [(0,)])
            rows = postgres_store.fetch("SELECT outcome FROM messages ORDER BY id")
            return {str(row[0]) for row in rows[first:]}

        assert hear() == {"no-rule"}
        imported = run_command(tmp_path / "data", "rules", "import", str(file), database_url=url)
        assert imported.stdout == "add All\n", imported.stderr
        assert hear() == {"replied"}
        off = service.call("/rules/rul_1", method="PATCH", body={"enabled": False})
        assert off.status == 200
        assert hear() == {"no-rule"}
        assert postgres_store.fetch("SELECT count(*) FROM outbound") == [(8,)]
        assert "Traceback" not in service.read_log()
