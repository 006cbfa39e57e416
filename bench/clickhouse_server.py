"""A ClickHouse server for tests and for the benchmark of faults: the real engine (chDB) behind as much of ClickHouse's
HTTP interface as clickhouse-connect uses. ``python -m bench.clickhouse_server DIRECTORY --port 8123``.

Replicated tables become plain ones and ON CLUSTER is left out, since there is no Keeper; Distributed tables are real.
Queries in body or URL, settings and ``param_*`` in the URL, inserts in any input format, compressed bodies both ways,
authentication by Basic, header or URL, errors with ClickHouse's codes. A process has one directory. Each request has a
connection of its own, and so settings of its own. Not there: sessions, progress headers, external data, roles.

``POST /faults?kind=…&match=…&times=…&seconds=…&code=…`` arms a :class:`Fault` for the next queries that contain
``match``; ``GET /faults`` tells how often one has struck; ``DELETE /faults`` disarms all.
Source: https://clickhouse.com/docs/interfaces/http
"""

import asyncio
import gzip
import hmac
import os
import re
import ssl
import tempfile
import uuid
import zlib
from base64 import b64decode
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import chdb.state
import click
import lz4.frame  # type: ignore[import-untyped]
import msgspec
from aiohttp import web

# The one it raises: the packages chdb and chdb-core have one each.
from chdb.state.sqlitelike import ChdbError

NO_SETTINGS = frozenset(
    {
        "query", "database", "user", "password", "query_id", "session_id", "session_timeout", "session_check", "role",
        "default_format", "quota_key", "buffer_size", "wait_end_of_query", "decompress", "compress", "stacktrace",
        "client_protocol_version",
    }
)  # fmt: skip
AUTHENTICATION_FAILED = 516
REFUSED = (
    f"Code: {AUTHENTICATION_FAILED}. DB::Exception: Authentication failed: password is incorrect, or there is no user "
    "with such name. (AUTHENTICATION_FAILED)"
)
STATUS = {AUTHENTICATION_FAILED: 403, 81: 404, 60: 404, 47: 404, 62: 400, 164: 500, 241: 500}
LARGEST_BODY = 1 << 30
LARGEST_LINE = 1 << 20  # http_max_uri_size
_INSERT = re.compile(rb"\s*(INSERT\s+INTO\s.*?)\s+FORMAT\s+(\w+)\s*?(?:\n|$)", re.IGNORECASE | re.DOTALL)
_VALUES = re.compile(rb"\s*INSERT\s.*?\bVALUES\b", re.IGNORECASE | re.DOTALL)
_FORMAT = re.compile(r"\bFORMAT\s+(\w+)\s*;?\s*$", re.IGNORECASE)
_ON_CLUSTER = re.compile(r" ON CLUSTER '[^']*'")
_REPLICATED = re.compile(r"ENGINE = Replicated(\w+)(\('/[^']*', '[^']*'(?:, )?)?")
_CODE = re.compile(r"Code: (\d+)\.")
_DECOMPRESS = {
    "lz4": lz4.frame.decompress,
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
}
_COMPRESS = {
    "lz4": lz4.frame.compress,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
}


class Fault(msgspec.Struct):
    """What goes wrong, and how often still.

    ``refuse``: the connection is closed, nothing is done. ``slow``: ``seconds`` pass first. ``meet``: it waits
    until all of the ``times`` are there. ``error``: the answer is ``code``, nothing is done. ``error_after``: it is
    done, and the answer is ``code`` nevertheless. ``cut_after``: it is done, and the connection is closed without an
    answer. ``cut_answer``: half of the answer arrives.
    """

    kind: str
    match: str = ""
    times: int = 1
    seconds: float = 0.0
    code: int = 1000


class Server:
    """One directory. ``user`` and ``password``: who may ask; ``database`` is made if need be."""

    def __init__(
        self, directory: Path, *, user: str, password: str, database: str, config: Path | None
    ) -> None:
        # The engine takes a configuration file, as clickhouse-local does: this is where clusters and macros come from.
        self._path = str(directory) + (f"?config-file={config}" if config else "")
        self._user, self._password = user, password
        self._engine = chdb.state.connect(self._path)  # kept open: the engine ends with its last connection
        self._engine.query(f"CREATE DATABASE IF NOT EXISTS `{database}`")
        self._version = self._engine.query("SELECT version()", "TSVRaw").bytes().decode().strip()
        self._faults: list[Fault] = []
        self._struck: Counter[str] = Counter()

    def application(self) -> web.Application:
        """All its routes."""
        application = web.Application(client_max_size=LARGEST_BODY)
        application.add_routes(
            [
                web.get("/ping", self._ping),
                web.post("/faults", self._arm),
                web.get("/faults", self._tell),
                web.delete("/faults", self._disarm),
                web.get("/", self._answer),
                web.post("/", self._answer),
            ]
        )
        return application

    async def _ping(self, _request: web.Request) -> web.Response:
        return web.Response(text="Ok.\n")

    async def _arm(self, request: web.Request) -> web.Response:
        self._faults.append(msgspec.convert(dict(request.query), Fault, strict=False))
        return web.Response()

    async def _tell(self, _request: web.Request) -> web.Response:
        return web.json_response(self._struck)

    async def _disarm(self, _request: web.Request) -> web.Response:
        self._faults.clear()
        return web.Response()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        encoding = request.headers.get("Content-Encoding", "")
        body = _DECOMPRESS[encoding](body) if encoding in _DECOMPRESS else body
        text = "\n".join(filter(None, (request.query.get("query", ""), body[:500].decode(errors="replace"))))
        fault = self._fault(text)
        if fault.kind == "refuse":
            return self._cut(request)
        if fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
        while fault.kind == "meet" and fault.times:
            await asyncio.sleep(0.01)
        if fault.kind == "error":
            return self._error(f"Code: {fault.code}. DB::Exception: armed by a test. (FAULT)")
        if not self._may(request):
            return self._error(REFUSED)
        try:
            answer, output_format = await asyncio.to_thread(self._run, dict(request.query), body)
        except ChdbError as error:
            return self._error(str(error))
        if fault.kind == "error_after":
            return self._error(f"Code: {fault.code}. DB::Exception: armed by a test. (FAULT)")
        if fault.kind == "cut_after":
            return self._cut(request)
        return await self._send(request, answer, output_format, half=fault.kind == "cut_answer")

    def _fault(self, text: str) -> Fault:
        for fault in self._faults:
            if fault.times > 0 and fault.match in text:
                fault.times -= 1
                self._struck[fault.kind] += 1
                return fault
        return Fault("")

    def _may(self, request: web.Request) -> bool:
        kind, _, credentials = request.headers.get("Authorization", "").partition(" ")
        if kind == "Basic":
            user, _, password = b64decode(credentials).decode().partition(":")
        else:
            user = request.headers.get("X-ClickHouse-User", request.query.get("user", "default"))
            password = request.headers.get("X-ClickHouse-Key", request.query.get("password", ""))
        return user == self._user and hmac.compare_digest(password.encode(), self._password.encode())

    def _run(self, query: Mapping[str, str], body: bytes) -> tuple[bytes, str]:
        connection = chdb.state.connect(self._path)
        try:
            if database := query.get("database"):
                connection.query(f"USE `{database}`")
            settings = {name: value for name, value in query.items() if name not in NO_SETTINGS}
            for name in sorted(settings, key="readonly".__eq__):  # after it nothing could be set
                connection.query(f"SET {name} = '{_escaped(settings[name])}'")
            sql = query.get("query", "").encode()
            whole = sql + b"\n" + body if sql else body
            insert = None if _VALUES.match(whole) else _INSERT.match(whole)
            if insert is None:
                text = _without_keeper(whole.decode())
                named = _FORMAT.search(text)
                output_format = named[1] if named else query.get("default_format", "TabSeparated")
                return connection.query(text, output_format).bytes() or b"", output_format
            with tempfile.NamedTemporaryFile() as file:
                file.write(whole[insert.end() :])
                file.flush()
                into, input_format = insert[1].decode(), insert[2].decode()
                connection.query(f"{into} FROM INFILE '{file.name}' COMPRESSION 'none' FORMAT {input_format}")
            return b"", ""
        finally:
            connection.close()

    def _error(self, message: str) -> web.Response:
        found = _CODE.search(message)
        code = int(found[1]) if found else 1001
        return web.Response(
            status=STATUS.get(code, 500),
            text=f"{message} (version {self._version} (official build))\n",
            headers={"X-ClickHouse-Exception-Code": str(code)},
        )

    def _cut(self, request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async def _send(
        self, request: web.Request, answer: bytes, output_format: str, *, half: bool
    ) -> web.StreamResponse:
        headers = {
            "X-ClickHouse-Query-Id": request.query.get("query_id", str(uuid.uuid4())),
            "X-ClickHouse-Timezone": "UTC",
            "X-ClickHouse-Summary": "{}",
        }
        if output_format:
            headers["X-ClickHouse-Format"] = output_format
        if request.query.get("enable_http_compression") == "1":
            accepted = request.headers.get("Accept-Encoding", "").replace(" ", "").split(",")
            if encoding := next((name for name in accepted if name in _COMPRESS), ""):
                headers["Content-Encoding"] = encoding
                answer = _COMPRESS[encoding](answer)
        response = web.StreamResponse(headers=headers)
        response.content_length = len(answer)
        await response.prepare(request)
        await response.write(answer[: len(answer) // 2] if half else answer)
        if half:
            self._cut(request)
        return response


def _without_keeper(statement: str) -> str:
    replicated = _REPLICATED.sub(lambda found: f"ENGINE = {found[1]}{'(' if found[2] else ''}", statement)
    return _ON_CLUSTER.sub("", replicated)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--port", default=8123, show_default=True)
@click.option("--user", default="default", show_default=True)
@click.option("--database", default="default", show_default=True, help="Made if it is not there.")
@click.option("--config", type=click.Path(path_type=Path), help="Engine configuration: clusters, macros.")
@click.option("--certificate", type=click.Path(path_type=Path), help="PEM of certificate and key: HTTPS.")
@click.option("--clients", type=click.Path(path_type=Path), help="PEM of the CA that clients must show.")
def main(
    directory: Path,
    port: int,
    user: str,
    database: str,
    config: Path | None,
    certificate: Path | None,
    clients: Path | None,
) -> None:
    """Serve DIRECTORY on 127.0.0.1. The password is the variable PASSWORD."""
    password = os.environ.get("PASSWORD", "")
    server = Server(directory, user=user, password=password, database=database, config=config)
    context = None
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=clients)
        context.load_cert_chain(certificate)
        context.verify_mode = ssl.CERT_REQUIRED if clients else ssl.CERT_NONE
    web.run_app(
        server.application(),
        host="127.0.0.1",
        port=port,
        ssl_context=context,
        auto_decompress=False,
        max_line_size=LARGEST_LINE,
        access_log=None,
        print=None,
        shutdown_timeout=1,
    )


if __name__ == "__main__":
    main()
