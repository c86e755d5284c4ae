"""The obvious service: a validated model, and a session and commit per request."""

import hmac
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Form, HTTPException, Query
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, Field
from sqlalchemy import JSON, Engine, create_engine, event
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from benchmarks.servers.serving import serve

MERGE_FIELDS = {"merge_name", "merge_email", *(f"merge_{number}" for number in range(1, 6))}


class Forward(BaseModel):
    """The parameters of a forward, from the provider's page."""

    source: str = Field(min_length=1, max_length=20)
    dest: str = Field(min_length=1, max_length=20)
    body: str = Field(alias="msg", max_length=1600)
    provider_id: str = Field(alias="id", min_length=1, max_length=64)
    received_at: datetime = Field(alias="receivedts")
    auth: str
    merge_name: str | None = Field(None, alias="MMName")
    merge_email: str | None = Field(None, alias="MMEmail")
    merge_1: str | None = Field(None, alias="MM1")
    merge_2: str | None = Field(None, alias="MM2")
    merge_3: str | None = Field(None, alias="MM3")
    merge_4: str | None = Field(None, alias="MM4")
    merge_5: str | None = Field(None, alias="MM5")


class Base(DeclarativeBase):
    """The obvious version's own tables."""


class Message(Base):
    __tablename__ = "messages"

    id: Mapped[int] = mapped_column(primary_key=True)
    provider_id: Mapped[str] = mapped_column(unique=True)
    source: Mapped[str] = mapped_column(index=True)
    dest: Mapped[str] = mapped_column(index=True)
    body: Mapped[str]
    received_at: Mapped[datetime]
    stored_at: Mapped[datetime]
    merge_fields: Mapped[dict[str, Any]] = mapped_column(JSON)


def build_app(database_url: str, auth: str) -> FastAPI:
    """The obvious endpoint for that database: with threads or with async."""
    if database_url.startswith("postgresql"):
        return _build_postgres_app(database_url, auth)
    return _build_sqlite_app(database_url, auth)


def _build_sqlite_app(database_url: str, auth: str) -> FastAPI:
    app = FastAPI()
    engine = _make_sqlite_engine(database_url)
    Base.metadata.create_all(engine)

    def open_session() -> Iterator[Session]:
        with Session(engine) as session:
            yield session

    @app.get("/inbound")
    def receive(
        forward: Annotated[Forward, Query()], session: Annotated[Session, Depends(open_session)]
    ) -> PlainTextResponse:
        _check(forward, auth)
        session.add(_make_message(forward))
        session.commit()
        return PlainTextResponse("OK")

    @app.post("/inbound")
    def receive_form(
        forward: Annotated[Forward, Form()], session: Annotated[Session, Depends(open_session)]
    ) -> PlainTextResponse:
        return receive(forward, session)

    return app


def _make_sqlite_engine(database_url: str) -> Engine:
    engine = create_engine(database_url)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")

    return engine


def _build_postgres_app(database_url: str, auth: str) -> FastAPI:
    engine = create_async_engine(database_url.replace("postgresql:", "postgresql+asyncpg:", 1))

    @asynccontextmanager
    async def live(_app: FastAPI) -> AsyncIterator[None]:
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        yield
        await engine.dispose()

    app = FastAPI(lifespan=live)

    async def open_session() -> AsyncIterator[AsyncSession]:
        async with AsyncSession(engine) as session:
            yield session

    @app.get("/inbound")
    async def receive(
        forward: Annotated[Forward, Query()],
        session: Annotated[AsyncSession, Depends(open_session)],
    ) -> PlainTextResponse:
        _check(forward, auth)
        session.add(_make_message(forward))
        await session.commit()
        return PlainTextResponse("OK")

    @app.post("/inbound")
    async def receive_form(
        forward: Annotated[Forward, Form()],
        session: Annotated[AsyncSession, Depends(open_session)],
    ) -> PlainTextResponse:
        return await receive(forward, session)

    return app


def _check(forward: Forward, auth: str) -> None:
    if not hmac.compare_digest(forward.auth, auth):
        raise HTTPException(403)


def _make_message(forward: Forward) -> Message:
    return Message(
        provider_id=forward.provider_id,
        source=forward.source,
        dest=forward.dest,
        body=forward.body,
        received_at=forward.received_at,
        stored_at=datetime.now(UTC).replace(tzinfo=None),
        merge_fields=forward.model_dump(exclude_none=True, include=MERGE_FIELDS),
    )


if __name__ == "__main__":
    serve(build_app)
