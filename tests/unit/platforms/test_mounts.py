from __future__ import annotations

from pathlib import Path

from devproxy.platforms.mounts import has_no_name, is_mounted_alone, mount_points

TABLE = rb"""21 28 0:20 / /sys rw,nosuid shared:6 - sysfs sysfs rw
63 43 254:0 /tmp/host/f//deleted /etc/devproxy/devproxy.toml rw,relatime - ext4 /dev/vda rw,discard
64 43 254:0 /x /a\040folder/with\134backslash rw - ext4 /dev/vda rw

short row
"""


def test_the_mounts_of_a_system_are_read() -> None:
    assert mount_points(TABLE) == {b"/sys", b"/etc/devproxy/devproxy.toml", b"/a folder/with\\backslash"}


def test_a_folder_of_the_system_is_one_and_a_file_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert is_mounted_alone("/proc")
    assert not is_mounted_alone(str(tmp_path / "file"))


def test_a_file_has_a_name_until_it_is_gone(tmp_path: Path) -> None:
    file = tmp_path / "file"
    with file.open("w") as opened:
        assert not has_no_name(str(file))
        file.unlink()
        assert has_no_name(f"/proc/self/fd/{opened.fileno()}")
        assert not has_no_name(str(file))
