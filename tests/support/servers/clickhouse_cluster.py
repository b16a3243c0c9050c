"""A ClickHouse cluster of Debian's packages: two shards of two replicas, and a ZooKeeper."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.ports import lasting_port
from tests.support.servers.clickhouse import INSTALL, ClickHouseProcess, skip_without_clickhouse
from tests.support.servers.process import start, stop

CLUSTER = "main"
_ZOOKEEPER_JAR = Path("/usr/share/java/zookeeper.jar")
_ZOOKEEPER_CONFIG = """tickTime=500
dataDir={folder}/data
clientPort={port}
clientPortAddress=127.0.0.1
admin.enableServer=false
4lw.commands.whitelist=srvr
"""
_REPLICA = "<replica><host>127.0.0.1</host><port>{port}</port></replica>"
_SHARD = "<shard><internal_replication>true</internal_replication>{replicas}</shard>"
_MEMBER = """
  <tcp_port>{tcp_port}</tcp_port>
  <interserver_http_port>{interserver_port}</interserver_http_port>
  <interserver_http_host>127.0.0.1</interserver_http_host>
  <remote_servers><{cluster}>{shards}</{cluster}></remote_servers>
  <zookeeper>
    <node><host>127.0.0.1</host><port>{zookeeper_port}</port></node>
    <session_timeout_ms>4000</session_timeout_ms>
  </zookeeper>
  <macros><shard>{shard}</shard><replica>{replica}</replica></macros>
  <distributed_ddl><path>/clickhouse/ddl</path></distributed_ddl>
"""


class ClickHouseCluster:
    """Four servers; ``replicas[shard][replica]``."""

    def __init__(self, replicas: list[list[ClickHouseProcess]]) -> None:
        self.replicas = replicas

    @property
    def all(self) -> list[ClickHouseProcess]:
        return [each for shard in self.replicas for each in shard]

    def url(self, database: str, **options: str) -> str:
        """Return the URL of a database on all of them."""
        hosts = ",".join(each.host for each in self.all)
        more = "".join(f"&{name}={value}" for name, value in options.items())
        return f"clickhouse://{hosts}/{database}?cluster={CLUSTER}{more}"


@contextmanager
def clickhouse_cluster(folder: Path) -> Iterator[ClickHouseCluster]:
    """Give a cluster that lives below ``folder`` and is stopped at the end."""
    skip_without_clickhouse()
    if not _ZOOKEEPER_JAR.exists() or shutil.which("java") is None:
        pytest.skip(f"ZooKeeper is not installed: {INSTALL}")
    zookeeper_port = lasting_port()
    zookeeper = _start_zookeeper(folder / "zookeeper", zookeeper_port)
    ports = [[lasting_port() for _ in range(2)] for _ in range(2)]
    shards = "".join(
        _SHARD.format(replicas="".join(_REPLICA.format(port=port) for port in shard))
        for shard in ports
    )
    cluster = ClickHouseCluster(
        [
            [
                ClickHouseProcess(
                    folder / f"{shard}-{replica}",
                    more=_MEMBER.format(
                        tcp_port=tcp_port,
                        interserver_port=lasting_port(),
                        cluster=CLUSTER,
                        shards=shards,
                        zookeeper_port=zookeeper_port,
                        shard=shard,
                        replica=replica,
                    ),
                )
                for replica, tcp_port in enumerate(of_shard)
            ]
            for shard, of_shard in enumerate(ports)
        ]
    )
    try:
        for each in cluster.all:
            each.start()
        yield cluster
    finally:
        for each in cluster.all:
            each.stop()
        stop(zookeeper)


def _start_zookeeper(folder: Path, port: int) -> subprocess.Popen[bytes]:
    (folder / "data").mkdir(parents=True)
    config = folder / "zoo.cfg"
    config.write_text(_ZOOKEEPER_CONFIG.format(folder=folder, port=port))
    main = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
    command = ["java", "-Xmx256m", "-cp", f"{folder}:{_ZOOKEEPER_JAR}", main, str(config)]
    # A ClickHouse that finds a ZooKeeper which does not answer yet dies.
    return start(command, folder / "terminal.log", lambda: _serves(port))


def _serves(port: int) -> bool:
    with (
        contextlib.suppress(OSError),
        socket.create_connection(("127.0.0.1", port), timeout=1) as asking,
    ):
        asking.sendall(b"srvr")
        return asking.recv(4096).startswith(b"Zookeeper")
    return False
