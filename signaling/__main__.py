"""The command ``venterom``."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import datetime
import errno
import gc
import logging
import os
import signal
import ssl
import sys
from collections.abc import Sequence
from pathlib import Path

from aiohttp import web

from sfu import PortInUse
from signaling import lan
from signaling.app import create_app
from signaling.assets import AssetsMissing
from signaling.config import ApiConfig, Config, ConfigError, HttpConfig, load
from signaling.first_run import API_TOKEN_FILE, Secrets, demo_api_token, open_secrets, renew_desk_code

SHUTDOWN_TIMEOUT_S = 5.0
"For requests under way; WebSockets are told to go by the application."


class StartError(Exception):
    """The server cannot start. The text is one line for the operator and names what to change."""


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse_arguments(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        config = _prepare(options)
        secrets = open_secrets(config.paths.var)
        app = _create_app(config, secrets)
        welcome = _welcome(config, secrets, on_lan=options.lan, demo=options.config is None)
        asyncio.run(_serve(app, config.http, _tls_context(config.http), welcome))
    except (AssetsMissing, ConfigError, StartError, OSError) as error:
        print(f"venterom: {error}", file=sys.stderr)
        return 1
    return 0


def _parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="venterom", description="Self-hosted video consultations.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="run the server until Ctrl-C")
    serve.add_argument("--config", type=Path, metavar="FILE", help="TOML; without it a demo clinic is served")
    serve.add_argument("--lan", action="store_true", help="serve phones on the local network, over HTTPS")
    return parser.parse_args(arguments)


# Before the start


def _prepare(options: argparse.Namespace) -> Config:
    """The configuration as it will be served."""
    config = load(options.config)
    renew_desk_code(config.paths.var)
    if options.config is None:
        config = dataclasses.replace(config, api=ApiConfig(token=demo_api_token(config.paths.var)))
    return _on_local_network(config) if options.lan else config


def _on_local_network(config: Config) -> Config:
    addresses = lan.addresses()
    if not addresses:
        raise StartError("--lan needs a network: this machine has no address but loopback")
    now = datetime.datetime.now(datetime.UTC)
    files = lan.ensure_certificate(config.paths.var, ("127.0.0.1", *addresses), now)
    http = dataclasses.replace(
        config.http,
        host="",
        public_url=f"https://{addresses[0]}:{config.http.port}",
        tls_certificate=str(files.certificate),
        tls_private_key=str(files.private_key),
    )
    return dataclasses.replace(config, http=http)


def _tls_context(http: HttpConfig) -> ssl.SSLContext | None:
    if not http.tls_certificate:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(http.tls_certificate, http.tls_private_key)
    except OSError as error:  # ssl.SSLError is one
        reason = error.strerror or error
        raise StartError(f"http.tls_certificate and http.tls_private_key cannot be used: {reason}") from error
    return context


def _welcome(config: Config, secrets: Secrets, *, on_lan: bool, demo: bool) -> str:
    patient = f"{config.http.origin}/{config.clinic.slug}"
    # In the fragment, which browsers keep to themselves: it reaches no log and no Referer.
    clinician = f"{patient}/desk#code={secrets.desk_code}"
    if demo:
        token = str(config.paths.var / API_TOKEN_FILE)
    else:
        token = "api.token of the configuration" if config.api.token else "none: WHIP and WHEP are off"
    lines = [
        "Venterom is running. Ctrl-C stops it.",
        "",
        f"  Patient    {patient}",
        f"  Clinician  {clinician}  (signs in once)",
        f"  API token  {token}",
        "",
    ]
    if on_lan:
        lines += [
            lan.qr_code(patient),
            "The browser will warn, because this server signed its certificate itself: choose to go on.",
            "",
        ]
    return "\n".join(lines)


# Serving


def _create_app(config: Config, secrets: Secrets) -> web.Application:
    try:
        return create_app(config, secrets=secrets)
    except ValueError as error:  # a language without a catalogue
        raise StartError(f"clinic.{error}") from error


async def _serve(app: web.Application, http: HttpConfig, tls: ssl.SSLContext | None, welcome: str) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    # aiohttp's own access log is off: it would hold addresses and invitations.
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_TIMEOUT_S)
    try:
        await _start(runner, http, tls)
        # What exists now stays: the collector need not walk it while packets wait.
        gc.collect()
        gc.freeze()
        print(welcome, flush=True)
        await stop.wait()
    finally:
        await runner.cleanup()


async def _start(runner: web.AppRunner, http: HttpConfig, tls: ssl.SSLContext | None) -> None:
    try:
        await runner.setup()
    except PortInUse as error:
        raise StartError(f"port {error.port} is taken: set another media.media_port in the configuration") from error
    except OSError as error:
        raise StartError(f"cannot open the media port, see media.announced_addresses: {_reason(error)}") from error
    try:
        await web.TCPSite(runner, http.host or None, http.port, ssl_context=tls).start()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise StartError(f"port {http.port} is taken: set another http.port in the configuration") from error
        where = f"{http.host or '*'}:{http.port}"
        raise StartError(f"cannot serve on {where}, see http.host and http.port: {_reason(error)}") from error


def _reason(error: OSError) -> object:
    """Without the address and number that asyncio puts around it."""
    return os.strerror(error.errno) if error.errno else error


if __name__ == "__main__":
    sys.exit(main())
