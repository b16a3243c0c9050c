"""Debian's clickhouse-server, from a configuration written here. One for each pytest process."""

from __future__ import annotations

import atexit
import functools
import itertools
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from quark.storage.clickhouse.engine import ClickHouseEngine
from tests.support.ports import lasting_port
from tests.support.servers.process import listens, start, stop

INSTALL = "apt-get install clickhouse-server clickhouse-client zookeeper"
USER, PASSWORD = "quark", "it's a secret"

_CONFIG = """<?xml version="1.0"?>
<yandex>
  <logger><level>warning</level><log>{folder}/server.log</log>
    <errorlog>{folder}/error.log</errorlog><size>50M</size><count>1</count></logger>
  <http_port>{http_port}</http_port>
  <listen_host>127.0.0.1</listen_host>
  <path>{folder}/data/</path><tmp_path>{folder}/tmp/</tmp_path>
  <format_schema_path>{folder}/format_schemas/</format_schema_path>
  <mark_cache_size>67108864</mark_cache_size>
  <users_config>users.xml</users_config>
  <default_profile>default</default_profile><default_database>default</default_database>
  <timezone>UTC</timezone>
  {more}
</yandex>
"""
_USERS = """<?xml version="1.0"?>
<yandex>
  <profiles><default><max_memory_usage>4000000000</max_memory_usage></default></profiles>
  <users>
    <default><password></password>
      <networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota>
    </default>
    <{user}><password>{password}</password>
      <networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota>
    </{user}>
  </users>
  <quotas><default/></quotas>
</yandex>
"""


@dataclass
class ClickHouseProcess:
    """One server: its folder, its port and its process."""

    folder: Path
    http_port: int = field(default_factory=lasting_port)
    more: str = ""
    process: subprocess.Popen[bytes] | None = None

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.http_port}"

    def start(self, *, wait: bool = True) -> None:
        """Start it, also again in the same folder."""
        for name in ("data", "tmp", "format_schemas"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        config = self.folder / "config.xml"
        config.write_text(
            _CONFIG.format(folder=self.folder, http_port=self.http_port, more=self.more)
        )
        (self.folder / "users.xml").write_text(_USERS.format(user=USER, password=PASSWORD))
        command = ["clickhouse-server", f"--config-file={config}"]
        log = self.folder / "terminal.log"
        self.process = start(command, log, self._answers if wait else lambda: True)

    def kill(self) -> None:
        """End it without warning."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None:
            stop(self.process)

    def query(self, sql: str) -> str:
        """Ask it directly."""
        answer = httpx.post(f"http://{self.host}/", content=sql.encode(), timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.text

    def _answers(self) -> bool:
        return listens(self.http_port)


class ClickHouseServers:
    """Engines on one server, each with a database of its own."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def url(self, **options: str) -> str:
        """Return the URL of a new database."""
        with self._lock:
            number = next(self._numbers)
        more = "&".join(f"{name}={value}" for name, value in options.items())
        return f"clickhouse://{self._host}/test{number}" + (f"?{more}" if more else "")

    def engine(self, options: Mapping[str, str] | None = None) -> ClickHouseEngine:
        """Return an engine with a database of its own, without pauses between inserts."""
        return ClickHouseEngine(self.url(**(options or {})), insert_interval_seconds=0.0)

    @functools.cached_property
    def shared_engine(self) -> ClickHouseEngine:
        """One engine for tests that have a namespace each."""
        engine = self.engine()
        atexit.register(engine.close)
        return engine


def skip_without_clickhouse() -> None:
    """Skip the test, loudly, where Debian's server is not installed."""
    if shutil.which("clickhouse-server") is None:
        pytest.skip(f"clickhouse-server is not installed: {INSTALL}")


@functools.cache
def clickhouse() -> ClickHouseServers:
    """Return the server, started by the first call."""
    skip_without_clickhouse()
    folder = Path(tempfile.mkdtemp(prefix="quark-clickhouse-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)  # runs after the server's end
    process = ClickHouseProcess(folder)
    process.start()
    return ClickHouseServers(process.host)
