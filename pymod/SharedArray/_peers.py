# SPDX-License-Identifier: BSD-3-Clause
"""Whether a process at the other end of a TCP connection sees a file that this one sees.

Nothing is asked of the peer: Linux tells. A connection whose both ends are in our network
namespace is one of a process of this kernel, /proc says which, and /proc/PID/root leads to
the files as that process sees them, in whatever mount namespace it is. Whatever can't be
found out (another host, another network or pid namespace, another user) is a no.
"""

import ipaddress
import os
import sys

_ESTABLISHED = "01"

# What was found out, since it takes 25 ms on a large machine. It holds as long as the processes
# have those sockets, whose inodes are those of no others meanwhile.
_other_ends: dict = {}  # {(here, there): (inode of the other end's socket, pids)}
_servers: dict = {}  # {its end: (pids, {inode of a socket of theirs: pids of its client})}


def _endpoint(text):
    """(address, port) of what /proc/net/tcp writes as 0100007F:1F90."""
    words, port = text.split(":")
    raw = bytes.fromhex(words)
    if sys.byteorder == "little":
        raw = b"".join(raw[i : i + 4][::-1] for i in range(0, len(raw), 4))
    return _address(raw), int(port, 16)


def _address(of):
    address = ipaddress.ip_address(of)
    return getattr(address, "ipv4_mapped", None) or address


def endpoint(host, port):
    """The same of a numeric host; None of a name, since nobody may be asked here."""
    try:
        return _address(host.strip("[]")), int(port)
    except ValueError:
        return None


def connections():
    """{(local, remote): inode of the socket} of all that are established in our namespace."""
    found = {}
    for table in ("tcp", "tcp6"):
        try:
            with open(f"/proc/self/net/{table}") as lines:
                next(lines)
                for line in lines:
                    _, local, remote, state, *_, inode = line.split(maxsplit=10)[:10]
                    if state == _ESTABLISHED:
                        found[_endpoint(local), _endpoint(remote)] = int(inode)
        except OSError:  # a kernel without IPv6
            continue
    return found


def _sockets_of(pid):
    """Inodes of the sockets that a process has; none of one that is gone or somebody else's."""
    folder = f"/proc/{pid}/fd"
    found = set()
    try:
        for entry in os.listdir(folder):
            try:
                link = os.readlink(f"{folder}/{entry}")
            except FileNotFoundError:  # closed meanwhile
                continue
            if link.startswith("socket:["):
                found.add(int(link[8:-1]))
    except OSError:
        return set()
    return found


def _holders(sockets):
    """{inode: pids} of the processes that have these sockets; empty where there is none to see."""
    found = {inode: set() for inode in sockets}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        for inode in found.keys() & _sockets_of(pid):
            found[inode].add(pid)
    return found


def other_end(here, there):
    """The pids that have the other end of a connection of ours; empty if that can't be told."""
    inode, pids = _other_ends.get((here, there), (None, ()))
    if not pids or any(inode not in _sockets_of(pid) for pid in pids):
        inode = connections().get((there, here))
        pids = _holders({inode})[inode] if inode is not None else set()
        _other_ends[here, there] = inode, pids
    return pids


def _find_server(end):
    own = {inode for (here, _), inode in connections().items() if here == end}
    return set().union(*_holders(own).values())


def _find_clients(port, sockets):
    """For each of these sockets of the server the pids of its client: None for one that can't be
    told, empty where it has none."""
    table = connections()
    ends = {i: ends for ends, i in table.items() if ends[0][1] == port and i in sockets}
    theirs = {inode: table.get((there, here)) for inode, (here, there) in ends.items()}
    pids = _holders({inode for inode in theirs.values() if inode is not None})
    found = {inode: pids.get(socket) or None for inode, socket in theirs.items()}
    return {inode: found.get(inode, set()) for inode in sockets}


def server_and_clients(end):
    """The pids that serve a port here, and of all that are connected to it by whatever address of
    ours; the latter None if not all can be told, or there are none."""
    server, known = _servers.get(end, ((), {}))
    sockets = set().union(*map(_sockets_of, server))
    if not sockets or not sockets <= known.keys():
        server = _find_server(end)
        # Before it is looked who is at their other ends: what is connected later counts as new.
        sockets = set().union(*map(_sockets_of, server))
        known = _find_clients(end[1], sockets)
        _servers[end] = server, known
    clients = [known[inode] for inode in sockets]
    if None in clients:
        return server, None
    return server, set().union(*clients) or None


def all_see(pids, path, stat):
    """Whether each of these processes sees this very file there, and is of a user who may do what
    we may. Not if there are none."""
    return bool(pids) and all(_sees(pid, path, stat) for pid in pids)


def _sees(pid, path, stat):
    try:
        if os.stat(f"/proc/{pid}").st_uid not in (os.geteuid(), 0):
            return False
        seen = os.stat(f"/proc/{pid}/root{path}")
    except OSError:
        return False
    return (seen.st_dev, seen.st_ino) == (stat.st_dev, stat.st_ino)
