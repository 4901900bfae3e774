# SPDX-License-Identifier: Apache-2.0
"""The host's side of vsock, for machines whose kernel has no /dev/vhost-vsock.

    vhost-user-vsock.py --guest-cid 3 --device DEVICE.sock --host HOST.sock=2 --host STRANGER.sock=7
    vhost-user-vsock.py --guest-cid 3 --host HOST.sock

The first is a vhost-user back end for QEMU: `-chardev socket,id=vsock,path=DEVICE.sock -device
vhost-user-vsock-pci,chardev=vsock`, with the guest's memory in a shared memfd. The second needs /dev/vhost-vsock and
`-device vhost-vsock-pci,guest-cid=3`. Both offer Unix sockets as Cloud Hypervisor and Firecracker do: who connects
sends `CONNECT PORT`, is answered `OK ...`, and talks to the guest's port from then on. Each socket has the CID that
the guest sees as its peer's; the kernel's own has the host's, 2. `ready` is printed once all sockets are there.

Sources: the vhost-user protocol of QEMU's documentation, and the virtio specification 1.2, sections 2.7 (split
virtqueues) and 5.10 (socket device). QEMU keeps the event queue for itself.
"""

import argparse
import collections
import mmap
import os
import select
import socket
import struct
import time

# Of the vhost-user protocol.
GET_FEATURES, SET_FEATURES, SET_OWNER, RESET_OWNER, SET_MEM_TABLE = 1, 2, 3, 4, 5
SET_VRING_NUM, SET_VRING_ADDR, SET_VRING_BASE, GET_VRING_BASE = 8, 9, 10, 11
SET_VRING_KICK, SET_VRING_CALL, SET_VRING_ERR = 12, 13, 14
GET_PROTOCOL_FEATURES, SET_PROTOCOL_FEATURES, GET_QUEUE_NUM, SET_VRING_ENABLE = 15, 16, 17, 18
GET_CONFIG = 24
NEED_REPLY = 8
FEATURES = 1 << 32 | 1 << 30  # VIRTIO_F_VERSION_1, VHOST_USER_F_PROTOCOL_FEATURES
PROTOCOL_FEATURES = 1 << 3 | 1 << 9  # REPLY_ACK, CONFIG

# Of virtio.
RX, TX = 0, 1
DESC_NEXT, DESC_WRITE = 1, 2
AVAIL_NO_INTERRUPT = 1
STREAM = 1
REQUEST, RESPONSE, RST, SHUTDOWN, RW, CREDIT_UPDATE, CREDIT_REQUEST = 1, 2, 3, 4, 5, 6, 7
NO_MORE_RECEIVING, NO_MORE_SENDING = 1, 2
HEADER = struct.Struct("<QQIIIHHIII")
WRAP = 0xFFFFFFFF

# Bytes of the guest that a program of the host may leave unread; the guest waits then.
BUFFER = 256 * 1024
# Packets that wait for the guest's buffers before programs of the host are not read from any more.
PACKETS = 64
# A guest that does not confirm the end of a connection within these seconds, as in Linux.
CLOSE_WITHIN = 8


class Memory:
    """What the guest has as memory, by guest-physical and by QEMU's addresses."""

    def __init__(self, regions=()):
        self.regions = regions

    @staticmethod
    def of_table(payload, fds):
        count = struct.unpack_from("<I", payload)[0]
        regions = []
        for i in range(count):
            guest, size, user, offset = struct.unpack_from("<QQQQ", payload, 8 + 32 * i)
            view = memoryview(mmap.mmap(fds[i], offset + size))[offset:]
            os.close(fds[i])
            regions.append((guest, user, size, view))
        return Memory(regions)

    def _at(self, which, address, length):
        for region in self.regions:
            begin = address - region[which]
            if 0 <= begin and begin + length <= region[2]:
                return region[3][begin : begin + length]
        raise ValueError(f"{length} bytes at {address:#x} are not the guest's")

    def guest(self, address, length):
        return self._at(0, address, length)

    def user(self, address, length):
        return self._at(1, address, length)


class Ring:
    """A split virtqueue. Indices are read and written as native 16-bit words: in one piece."""

    def __init__(self):
        self.size = self.next = 0
        self.addresses = None
        self.kick = self.call = None
        self.enabled = True

    def map(self, memory):
        desc, used, avail = self.addresses
        self.memory = memory
        self.desc = memory.user(desc, 16 * self.size)
        self.avail = memory.user(avail, 4 + 2 * self.size)
        self.used = memory.user(used, 4 + 8 * self.size)

    def is_live(self):
        return self.kick is not None and self.enabled and self.addresses is not None

    def peek(self):
        """The next chain: its head and its parts as (view, whether the device writes there); None where there is none."""
        if not self.is_live() or struct.unpack_from("@H", self.avail, 2)[0] == self.next:
            return None
        head = at = struct.unpack_from("@H", self.avail, 4 + 2 * (self.next % self.size))[0]
        parts = []
        while True:
            address, length, flags, following = struct.unpack_from("<QIHH", self.desc, 16 * at)
            parts.append((self.memory.guest(address, length), flags & DESC_WRITE != 0))
            if flags & DESC_NEXT == 0 or len(parts) > self.size:
                return head, parts
            at = following

    def push(self, head, written):
        index = struct.unpack_from("@H", self.used, 2)[0]
        struct.pack_into("<II", self.used, 4 + 8 * (index % self.size), head, written)
        struct.pack_into("@H", self.used, 2, (index + 1) & 0xFFFF)
        self.next = (self.next + 1) & 0xFFFF

    def notify(self):
        if self.call is not None and struct.unpack_from("@H", self.avail)[0] & AVAIL_NO_INTERRUPT == 0:
            os.eventfd_write(self.call, 1)


class Client:
    """A program of the host on one of the Unix sockets, up to the greeting."""

    def __init__(self, loop, connection, accept):
        self.loop, self.connection, self.accept = loop, connection, accept
        self.line = b""
        connection.setblocking(False)
        loop.watch(connection, select.EPOLLIN, self.on_event)

    def on_event(self, _events):
        # One byte at a time: what follows the line is the connection's.
        while not self.line.endswith(b"\n"):
            try:
                byte = self.connection.recv(1)
            except BlockingIOError:
                return
            except ConnectionError:
                byte = b""
            self.line += byte
            if byte == b"" or len(self.line) > 32:
                return self.refuse()
        word, _, port = self.line.decode("latin1").strip().partition(" ")
        self.loop.forget(self.connection)
        if word != "CONNECT" or not port.isdecimal():
            return self.connection.close()
        self.accept(self.connection, int(port))

    def refuse(self):
        self.loop.forget(self.connection)
        self.connection.close()


class Stream:
    """A connection between a port of the guest and a program of the host."""

    def __init__(self, device, connection, cid, port, guest_port):
        self.device, self.connection = device, connection
        self.cid, self.port, self.guest_port = cid, port, guest_port
        self.key = (cid, port, guest_port)
        self.to_host, self.to_guest = bytearray(), bytearray()
        # Free-running counts of bytes: what the guest was sent and has taken, what the host's program has taken.
        self.sent = self.guest_allocation = self.guest_forwarded = self.forwarded = self.told = 0
        self.is_open = self.host_ended = self.host_gone = self.guest_ended = False
        self.shut_down = 0
        self.close_at = None
        self.packet(REQUEST)
        device.loop.watch(connection, 0, self.on_event)

    def packet(self, operation, payload=b"", flags=0):
        self.device.send(self, operation, payload, flags)

    def watch(self):
        if self.host_gone:
            return
        reads = self.is_open and not self.host_ended and not self.to_guest and not self.device.is_full()
        self.device.loop.change(self.connection, (select.EPOLLIN if reads else 0) | (select.EPOLLOUT if self.to_host else 0))

    def on_event(self, events):
        if events & select.EPOLLOUT:
            self.flush()
        if events & (select.EPOLLIN | select.EPOLLHUP):
            # What it had sent before it went is still for the guest.
            self.read(everything=events & select.EPOLLHUP)
        if events & (select.EPOLLHUP | select.EPOLLERR):
            self.leave()
        self.offer()
        self.watch()

    def read(self, everything):
        while not self.host_ended:
            try:
                data = self.connection.recv(65536)
            except BlockingIOError:
                return
            except ConnectionError:
                data = b""
            self.to_guest += data
            self.host_ended = not data
            if not everything:
                return

    def leave(self):
        """The program has closed its end."""
        self.device.loop.forget(self.connection)
        self.connection.close()
        self.to_host.clear()
        self.host_ended = self.host_gone = True

    def offer(self):
        """Sends the guest what it has room for, and behind it the end, which it confirms where it is that of both directions."""
        if not self.is_open:
            if self.host_gone:
                self.packet(RST)
                self.device.drop(self)
            return
        room = self.guest_allocation - ((self.sent - self.guest_forwarded) & WRAP)
        if self.to_guest and room > 0:
            data = bytes(self.to_guest[:room])
            del self.to_guest[:room]
            self.sent = (self.sent + len(data)) & WRAP
            self.packet(RW, data)
        flags = NO_MORE_RECEIVING | NO_MORE_SENDING if self.host_gone else NO_MORE_SENDING if self.host_ended else 0
        if not self.to_guest and flags != self.shut_down:
            self.shut_down = flags
            self.packet(SHUTDOWN, flags=flags)
            if self.host_gone:
                self.close_at = time.monotonic() + CLOSE_WITHIN

    def flush(self):
        try:
            count = self.connection.send(self.to_host)
        except OSError:
            # Full, or gone: the latter is an event of its own.
            return
        del self.to_host[:count]
        self.forwarded = (self.forwarded + count) & WRAP
        if (self.forwarded - self.told) & WRAP > BUFFER // 4:
            self.packet(CREDIT_UPDATE)
        self.pass_end()

    def pass_end(self):
        if self.guest_ended and not self.to_host and not self.host_gone:
            try:
                self.connection.shutdown(socket.SHUT_WR)
            except OSError:
                # Gone: an event of its own.
                return

    def received(self, operation, flags, payload):
        if operation == RESPONSE and not self.is_open:
            self.is_open = True
            self.to_host += b"OK %d\n" % self.port
            # Not the guest's bytes: they take no room of its.
            self.told = self.forwarded = -len(self.to_host) & WRAP
            self.flush()
        elif operation == RW and not self.host_gone:
            self.to_host += payload
            self.flush()
        elif operation == CREDIT_REQUEST:
            self.packet(CREDIT_UPDATE)
        elif operation == SHUTDOWN:
            self.host_ended |= flags & NO_MORE_RECEIVING != 0
            self.guest_ended |= flags & NO_MORE_SENDING != 0
            if flags == NO_MORE_RECEIVING | NO_MORE_SENDING:
                self.packet(RST)
                return self.finish()
            self.pass_end()
        elif operation == RST:
            return self.finish()
        self.offer()
        self.watch()

    def finish(self):
        """The guest has nothing more to do with it; the program may still read what it was sent."""
        self.device.drop(self)
        if self.host_gone:
            return
        self.host_gone = True
        self.device.loop.forget(self.connection)
        LastWords(self.device.loop, self.connection, self.to_host)


class LastWords:
    """What a program of the host has not read yet when the guest's side is gone."""

    def __init__(self, loop, connection, data):
        self.loop, self.connection, self.data = loop, connection, data
        loop.watch(connection, select.EPOLLOUT, self.on_event)

    def on_event(self, _events):
        try:
            if self.data:
                del self.data[: self.connection.send(self.data)]
        except BlockingIOError:
            return
        except OSError:
            self.data.clear()
        if not self.data:
            self.loop.forget(self.connection)
            self.connection.close()


class Device:
    """The vhost-user back end."""

    def __init__(self, loop, guest_cid):
        self.loop, self.guest_cid = loop, guest_cid
        self.rings = [Ring(), Ring()]
        self.memory = Memory()
        self.streams = {}
        self.packets = collections.deque()
        self.was_full = False
        # Above the numbers that services have.
        self.next_port = 1 << 30
        self.control = None

    # -- programs of the host --

    def accept(self, cid):
        def connect(connection, guest_port):
            if not self.rings[RX].is_live():
                return connection.close()
            self.next_port += 1
            stream = Stream(self, connection, cid, self.next_port, guest_port)
            self.streams[stream.key] = stream
            self.pump()

        return connect

    def drop(self, stream):
        self.streams.pop(stream.key, None)

    # -- packets --

    def is_full(self):
        return len(self.packets) >= PACKETS

    def send(self, stream, operation, payload, flags):
        self.packets.append([stream, operation, memoryview(payload), flags])

    def send_reset(self, cid, port, guest_port):
        self.packets.append([_Nobody(cid, port, guest_port), RST, memoryview(b""), 0])

    def pump(self):
        """Gives the guest what waits for it, as far as it has buffers."""
        ring = self.rings[RX]
        pushed = False
        while self.packets:
            chain = ring.peek()
            if chain is None:
                break
            head, parts = chain
            room = sum(len(part) for part, writable in parts if writable) - HEADER.size
            stream, operation, payload, flags = packet = self.packets[0]
            piece, packet[2] = payload[:room], payload[room:]
            stream.told = stream.forwarded
            header = HEADER.pack(
                stream.cid, self.guest_cid, stream.port, stream.guest_port, len(piece), STREAM, operation, flags, BUFFER, stream.forwarded
            )
            self._scatter(parts, header, piece)
            ring.push(head, HEADER.size + len(piece))
            pushed = True
            if not packet[2]:
                self.packets.popleft()
        if pushed:
            ring.notify()
        if self.was_full != self.is_full():
            self.was_full = self.is_full()
            for stream in list(self.streams.values()):
                stream.watch()

    @staticmethod
    def _scatter(parts, header, piece):
        data = memoryview(header + bytes(piece))
        for part, writable in parts:
            if writable:
                count = min(len(part), len(data))
                part[:count] = data[:count]
                data = data[count:]

    def take(self):
        """Takes what the guest has sent."""
        ring = self.rings[TX]
        taken = False
        while (chain := ring.peek()) is not None:
            head, parts = chain
            data = b"".join(part for part, writable in parts if not writable)
            ring.push(head, 0)
            taken = True
            source, cid, guest_port, port, length, kind, operation, flags, allocation, forwarded = HEADER.unpack_from(data)
            stream = self.streams.get((cid, port, guest_port))
            if source != self.guest_cid or kind != STREAM:
                continue
            if stream is None:
                # Nobody of the host listens for the guest.
                if operation != RST:
                    self.send_reset(cid, port, guest_port)
                continue
            stream.guest_allocation, stream.guest_forwarded = allocation, forwarded
            stream.received(operation, flags, memoryview(data)[HEADER.size : HEADER.size + length])
        if taken:
            ring.notify()

    def turn(self):
        """After every turn of the loop."""
        for stream in [stream for stream in self.streams.values() if stream.close_at is not None and stream.close_at <= time.monotonic()]:
            stream.packet(RST)
            self.drop(stream)
        self.pump()

    def patience(self):
        """Seconds until something has to be done without an event."""
        ends = [stream.close_at for stream in self.streams.values() if stream.close_at is not None]
        return max(min(ends) - time.monotonic(), 0) if ends else -1

    # -- QEMU --

    def on_qemu(self, connection):
        if self.control is not None:
            return connection.close()
        self.control = connection
        self.loop.watch(connection, select.EPOLLIN, self.on_request)

    def on_request(self, _events):
        header, fds, _, _ = socket.recv_fds(self.control, 12, 8)
        if not header:
            # QEMU has ended.
            raise SystemExit(0)
        request, flags, size = struct.unpack("<III", header)
        payload = self.control.recv(size, socket.MSG_WAITALL) if size > 0 else b""
        reply = self.answer(request, payload, fds)
        if reply is None and flags & NEED_REPLY:
            reply = struct.pack("<Q", 0)
        if reply is not None:
            self.control.sendall(struct.pack("<III", request, 1 | 4, len(reply)) + reply)

    def answer(self, request, payload, fds):
        if request == GET_FEATURES:
            return struct.pack("<Q", FEATURES)
        if request == GET_PROTOCOL_FEATURES:
            return struct.pack("<Q", PROTOCOL_FEATURES)
        if request == GET_QUEUE_NUM:
            return struct.pack("<Q", len(self.rings))
        if request == GET_CONFIG:
            offset, size, flags = struct.unpack_from("<III", payload)
            return struct.pack("<III", offset, size, flags) + struct.pack("<Q", self.guest_cid)[offset : offset + size]
        if request in (SET_FEATURES, SET_PROTOCOL_FEATURES, SET_OWNER, RESET_OWNER):
            return None
        if request == SET_MEM_TABLE:
            self.memory = Memory.of_table(payload, fds)
            for ring in self.rings:
                if ring.is_live():
                    ring.map(self.memory)
            return None
        if request in (SET_VRING_KICK, SET_VRING_CALL, SET_VRING_ERR):
            return self.set_eventfd(request, struct.unpack("<Q", payload)[0], fds)
        index, value = struct.unpack_from("<II", payload)
        ring = self.rings[index]
        if request == SET_VRING_NUM:
            ring.size = value
        elif request == SET_VRING_BASE:
            ring.next = value
        elif request == SET_VRING_ADDR:
            _, _, desc, used, avail, _ = struct.unpack("<IIQQQQ", payload)
            ring.addresses = desc, used, avail
            ring.map(self.memory)
        elif request == SET_VRING_ENABLE:
            ring.enabled = value == 1
            self.kicked(index)
        elif request == GET_VRING_BASE:
            self.stop(ring)
            return struct.pack("<II", index, ring.next)
        else:
            raise SystemExit(f"a request of vhost-user that is not known: {request}")
        return None

    def set_eventfd(self, request, value, fds):
        index, fd = value & 0xFF, fds[0] if fds else None
        ring = self.rings[index]
        if request == SET_VRING_KICK:
            self.stop_kicks(ring)
            ring.kick = fd
            if fd is not None:
                self.loop.watch(fd, select.EPOLLIN, lambda _events: (os.eventfd_read(fd), self.kicked(index)))
        elif request == SET_VRING_CALL:
            if ring.call is not None:
                os.close(ring.call)
            ring.call = fd
        elif fd is not None:
            os.close(fd)

    def kicked(self, index):
        if index == TX:
            self.take()

    def stop_kicks(self, ring):
        if ring.kick is not None:
            self.loop.forget(ring.kick)
            os.close(ring.kick)
            ring.kick = None

    def stop(self, ring):
        """The guest resets the device, or the machine stops: its connections are gone."""
        self.stop_kicks(ring)
        self.packets.clear()
        for stream in list(self.streams.values()):
            stream.finish()


class _Nobody:
    """The other end of a packet that belongs to no connection."""

    forwarded = told = 0

    def __init__(self, cid, port, guest_port):
        self.cid, self.port, self.guest_port = cid, port, guest_port


class Bridge:
    """The kernel's own vsock behind the Unix sockets."""

    def __init__(self, loop, guest_cid):
        self.loop, self.guest_cid = loop, guest_cid

    def accept(self, _cid):
        def connect(connection, port):
            guest = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
            try:
                guest.connect((self.guest_cid, port))
            except OSError:
                guest.close()
                return connection.close()
            guest.setblocking(False)
            connection.sendall(b"OK %d\n" % guest.getsockname()[1])
            one, two = _Copy(self.loop, connection, guest), _Copy(self.loop, guest, connection)
            one.other, two.other = two, one
            one.watch()
            two.watch()

        return connect

    def turn(self):
        pass

    def patience(self):
        return -1


class _Copy:
    """One direction of a bridge: what `source` sends is written to `target`."""

    def __init__(self, loop, source, target):
        self.loop, self.source, self.target = loop, source, target
        self.data = b""
        self.ended = False
        self.other = None
        loop.watch(source, 0, self.on_event)

    def watch(self):
        reads = not self.data and not self.ended
        self.loop.change(self.source, (select.EPOLLIN if reads else 0) | (select.EPOLLOUT if self.other.data else 0))

    def on_event(self, events):
        try:
            if events & select.EPOLLOUT:
                self.other.write()
            if events & (select.EPOLLIN | select.EPOLLHUP) and not self.data and not self.ended:
                self.data = self.source.recv(65536)
                self.ended = not self.data
                if self.ended:
                    self.target.shutdown(socket.SHUT_WR)
                self.write()
        except BlockingIOError:
            pass
        except OSError:
            return self.close()
        if self.ended and self.other.ended:
            return self.close()
        self.watch()
        self.other.watch()

    def write(self):
        if self.data:
            self.data = self.data[self.target.send(self.data) :]

    def close(self):
        for end in (self.source, self.target):
            self.loop.forget(end)
            end.close()


class Loop:
    """Callbacks of descriptors."""

    def __init__(self):
        self.epoll = select.epoll()
        self.callbacks = {}

    def watch(self, source, events, callback):
        fd = source if isinstance(source, int) else source.fileno()
        self.epoll.register(fd, events)
        self.callbacks[fd] = callback

    def change(self, source, events):
        self.epoll.modify(source.fileno(), events)

    def forget(self, source):
        fd = source if isinstance(source, int) else source.fileno()
        if self.callbacks.pop(fd, None) is not None:
            self.epoll.unregister(fd)

    def listen(self, path, accepted):
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(path)
        listener.listen(128)
        self.watch(listener, select.EPOLLIN, lambda _events: accepted(listener.accept()[0]))

    def run(self, turn, patience):
        while True:
            for fd, events in self.epoll.poll(patience()):
                # One that an event before this one has closed.
                callback = self.callbacks.get(fd)
                if callback is not None:
                    callback(events)
            turn()


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--guest-cid", type=int, required=True)
    arguments.add_argument("--device", metavar="SOCKET")
    arguments.add_argument("--host", metavar="SOCKET[=CID]", action="append", default=[])
    given = arguments.parse_args()

    loop = Loop()
    host = Bridge(loop, given.guest_cid) if given.device is None else Device(loop, given.guest_cid)
    if given.device is not None:
        loop.listen(given.device, host.on_qemu)
    for place in given.host:
        path, _, cid = place.partition("=")
        accept = host.accept(int(cid or 2))
        loop.listen(path, lambda connection, accept=accept: Client(loop, connection, accept))
    print("ready", flush=True)
    loop.run(host.turn, host.patience)


if __name__ == "__main__":
    main()
