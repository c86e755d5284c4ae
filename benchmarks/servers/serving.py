"""Runs the two servers that Letterbox is compared with, with the same uvicorn settings."""

import argparse
from collections.abc import Callable
from typing import Any

import uvicorn


def serve(make_app: Callable[[str, str], Any]) -> None:
    """Run the app that `make_app(database_url, auth)` gives on 127.0.0.1 until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--database-url", default="")
    parser.add_argument("--auth", default="")
    arguments = parser.parse_args()
    uvicorn.run(
        make_app(arguments.database_url, arguments.auth),
        host="127.0.0.1",
        port=arguments.port,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )
