"""Names of the standard library's modules and of builtins, the same under every Python."""

import builtins
import sys

# Part of Python 3.11; gone in 3.12 (first line) and in 3.13.
_DROPPED = """
asynchat asyncore distutils imp smtpd
aifc audioop cgi cgitb chunk crypt imghdr lib2to3 mailcap msilib nis nntplib ossaudiodev pipes sndhdr spwd sunau
telnetlib uu xdrlib
"""

STANDARD_MODULES = sys.stdlib_module_names | frozenset(_DROPPED.split())

BUILTINS = frozenset(dir(builtins)) | {"PythonFinalizationError"}  # which Python 3.13 added
