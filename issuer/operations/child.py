"""Become another program that does not outlive the one who started it.

Run as a script, by path: `child.py PARENT SIGNAL UID GID PROGRAM ARGUMENT…`. Linux sends `SIGNAL`
when the parent dies, however it dies; where the system has no such promise, the program only
becomes another account's. This runs between fork and exec, outside any thread of the parent, and
imports nothing but the standard library.
"""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1


def main(parent: int, death_signal: int, uid: int, gid: int, command: list[str]) -> None:
    """Drop to the account, ask to be told of the parent's death, and become the command."""
    if os.geteuid() == 0 and uid != 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":
        # After the change of account, which makes the kernel forget the wish.
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, death_signal)
        if os.getppid() != parent:  # it died before it was asked about
            sys.exit(1)
    os.execv(command[0], command)


if __name__ == "__main__":
    _parent, _signal, _uid, _gid = map(int, sys.argv[1:5])
    main(_parent, _signal, _uid, _gid, sys.argv[5:])
