"""Inside a sandbox: report what Python code reaches for outside of what it was given.

`sandbox.py` puts this file where every Python of the sandbox imports it at its start. It writes a line for each file
that is opened, written or listed where there is nothing to be had, and for each host that is called. A report and no
guard: it stops nothing, sees nothing of compiled code, and a script can silence it.
"""

import contextlib
import os
import sys
from typing import Any

_VISIBLE = os.environ.get("GOLF_VISIBLE", "").split(os.pathsep)
_WRITABLE = os.environ.get("GOLF_WRITABLE", "").split(os.pathsep)
_REPORT = os.environ.get("GOLF_REPORT", os.devnull)
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_LOOPBACK = ("127.", "::1", "localhost")


def _is_below(path: str, roots: list[str]) -> bool:
    return any(path == root or path.startswith(root + "/") for root in roots)


def _refusal(event: str, args: tuple[Any, ...]) -> str:
    """The line to report, or nothing."""
    if event in ("socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"):
        target = args[1] if event in ("socket.connect", "socket.sendto") else args
        parts = [str(part) for part in target[:2]] if isinstance(target, tuple) else [str(target)]
        is_local = parts[0].startswith(_LOOPBACK) or parts[0] in (os.uname().nodename, "None", "")
        return "" if is_local else "network: " + ":".join(parts)
    if event in ("open", "os.listdir", "os.scandir", "os.mkdir", "os.remove", "os.rename"):
        if not isinstance(args[0], (str, bytes, os.PathLike)):
            return ""
        path = os.path.realpath(os.fsdecode(args[0]))
        writes = event in ("os.mkdir", "os.remove", "os.rename") or (event == "open" and args[2] & _WRITES)
        if writes:
            return "" if _is_below(path, _WRITABLE) else f"write: {path}"
        if not _is_below(path, _VISIBLE) and not os.path.exists(path):
            return f"read: {path}"
    return ""


def _witness(event: str, args: tuple[Any, ...]) -> None:
    if line := _refusal(event, args):
        with contextlib.suppress(OSError):
            report = os.open(_REPORT, os.O_WRONLY | os.O_APPEND)
            os.write(report, ascii(line)[1:-1].encode() + b"\n")
            os.close(report)


sys.addaudithook(_witness)
