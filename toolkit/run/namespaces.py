"""The sandbox without bwrap: a program that shuts itself into namespaces of its own and runs a command there.

`python -I -S namespaces.py SPEC COMMAND...`, started by `sandbox.py`, on Linux 5.12 or newer. SPEC is a JSON object:
`root` an empty folder, `readable` and `writable` paths inside -> outside, `tmpfs_bytes` of /tmp, `start` the folder to
run in. Three processes: this one waits; its child is the first in a process namespace, so that all die with it, and
lays out the file system; its child in turn becomes the command. The command's user is nobody inside and has no
capabilities. Imports nothing of ours.
"""

import ctypes
import fcntl
import json
import os
import signal
import socket
import struct
import sys
from typing import Any

_libc = ctypes.CDLL(None, use_errno=True)

# Of the kernel's headers: sched.h, mount.h, prctl.h, if.h.
_CLONE_ALL = 0x10000000 | 0x00020000 | 0x20000000 | 0x40000000 | 0x08000000 | 0x04000000  # user mount pid net ipc uts
_MS_NOSUID, _MS_NODEV, _MS_BIND, _MS_REC, _MS_PRIVATE = 0x2, 0x4, 0x1000, 0x4000, 0x40000
_MNT_DETACH = 2
_MOUNT_ATTR_RDONLY, _AT_RECURSIVE = 0x1, 0x8000
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_CAPABILITY_VERSION_3 = 0x20080522
_SYS_MOUNT_SETATTR = 442  # on every architecture
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 1
_NOBODY = 65534
_DEVICES = ("null", "zero", "full", "random", "urandom")


def _call(function: Any, *args: Any) -> None:
    """A function of the C library; `OSError` that names it and its arguments when it fails."""
    if function(*args) < 0:
        error = ctypes.get_errno()
        names = " ".join(arg.decode() for arg in args if isinstance(arg, bytes) and arg)
        raise OSError(error, f"{function.__name__} {names}: {os.strerror(error)}")


def _mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    _call(_libc.mount, source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), options.encode())


def _make_read_only(path: str, flags: int) -> None:
    attributes = struct.pack("QQQQ", _MOUNT_ATTR_RDONLY, 0, 0, 0)  # set, clear, propagation, userns_fd
    at = ctypes.c_int(-100)  # the current folder, for relative paths
    _call(_libc.syscall, _SYS_MOUNT_SETATTR, at, path.encode(), flags, attributes, ctypes.c_size_t(len(attributes)))


def _bind(outside: str, inside: str) -> None:
    """Show a file or folder, with all that is mounted below, at a path that is made for it."""
    if os.path.isdir(outside):
        os.makedirs(inside, exist_ok=True)
    elif not os.path.exists(inside):
        os.makedirs(os.path.dirname(inside), exist_ok=True)
        os.close(os.open(inside, os.O_CREAT | os.O_WRONLY))
    _mount(outside, inside, "", _MS_BIND | _MS_REC)


def _die_with_parent() -> None:
    _call(_libc.prctl, _PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _enter_user_namespace() -> None:
    user, group = os.geteuid(), os.getegid()
    _call(_libc.unshare, _CLONE_ALL)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{_NOBODY} {user} 1"), ("gid_map", f"{_NOBODY} {group} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def _lay_out(spec: dict[str, Any]) -> None:
    """Build the file system below `root` and make it the only one there is."""
    root = spec["root"]
    _mount("", "/", "", _MS_REC | _MS_PRIVATE)
    _mount("tmpfs", root, "tmpfs", _MS_NOSUID | _MS_NODEV, "size=1m,mode=755")
    for folder in ("/proc", "/dev/shm", "/tmp"):
        os.makedirs(root + folder)
    _mount("proc", root + "/proc", "proc", _MS_NOSUID | _MS_NODEV)
    _mount("tmpfs", root + "/tmp", "tmpfs", _MS_NOSUID | _MS_NODEV, f"size={spec['tmpfs_bytes']},mode=1777")
    _bind(root + "/tmp", root + "/dev/shm")
    for name in _DEVICES:
        _bind("/dev/" + name, root + "/dev/" + name)
    for inside, outside in spec["readable"].items():
        _bind(outside, root + inside)
        _make_read_only(root + inside, _AT_RECURSIVE)
    for inside, outside in spec["writable"].items():
        _bind(outside, root + inside)
    os.chdir(root)
    _call(_libc.pivot_root, b".", b".")  # the old root now lies on top of the new one
    _call(_libc.umount2, b".", _MNT_DETACH)
    for path in ("/proc", "/"):  # whoever is root outside owns the kernel's settings in /proc
        _make_read_only(path, 0)
    os.chdir(spec["start"])


def _raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", _IFF_UP))


def _drop_privileges() -> None:
    _call(_libc.prctl, _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _call(_libc.capset, struct.pack("Ii", _CAPABILITY_VERSION_3, 0), bytes(24))


def _status(wait_status: int) -> int:
    code = os.waitstatus_to_exitcode(wait_status)
    return code if code >= 0 else 128 - code


def _first(spec: dict[str, Any], command: list[str]) -> int:
    """The first process inside: prepare, start the command, collect orphans until the command ends."""
    _die_with_parent()
    _lay_out(spec)
    _raise_loopback()
    _drop_privileges()
    child = os.fork()
    if child == 0:
        os.execvp(command[0], command)
    while True:
        pid, wait_status = os.wait()
        if pid == child:
            return _status(wait_status)


def main() -> int:
    spec, command = json.loads(sys.argv[1]), sys.argv[2:]
    _die_with_parent()
    _enter_user_namespace()
    child = os.fork()
    if child == 0:
        try:
            os._exit(_first(spec, command))
        except OSError as error:
            print(f"namespaces: {error}", file=sys.stderr, flush=True)
            os._exit(126)
    return _status(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    try:
        sys.exit(main())
    except OSError as error:
        sys.exit(f"namespaces: {error}")
