"""Which paths lie on a network file system."""

from __future__ import annotations

from pathlib import Path

import pytest

from quark.storage.filesystem import is_network_path

MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
tmpfs /tmp tmpfs rw 0 0
server:/home /home nfs4 rw 0 0
/dev/sdb1 /home/me/scratch xfs rw 0 0
//server/share /mnt/my\\040share cifs rw 0 0
lustre /lustre lustre rw 0 0
me@host:/ /mnt/ssh fuse.sshfs rw 0 0
overlay /overlay fuse.fuse-overlayfs rw 0 0
/dev/sda2 /twice ext4 rw 0 0
server:/twice /twice nfs rw 0 0
short
"""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/data/runs", False),
        ("/tmp/x", False),
        ("/home", True),
        ("/home/you/.quark", True),
        ("/home/me/scratch/.quark", False),
        ("/homework", False),
        ("/mnt/my share/.quark", True),
        ("/lustre/a/b", True),
        ("/mnt/ssh/x", True),
        ("/overlay/x", False),
        ("/twice/x", True),
    ],
)
def test_the_innermost_latest_mount_decides(path: str, expected: bool) -> None:
    assert is_network_path(Path(path), MOUNTS) is expected


def test_without_a_list_of_mounts_a_path_is_local() -> None:
    assert is_network_path(Path("/anything"), "") is False


def test_the_folder_of_a_test_is_judged_by_the_real_mounts(tmp_path: Path) -> None:
    assert isinstance(is_network_path(tmp_path), bool)
