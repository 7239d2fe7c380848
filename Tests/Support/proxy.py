"""A TCP proxy between two daemons that counts what passes and, when it is told to, cuts, resets or stalls it.

`up` is what the dialler says to the listener, `down` the other way."""

import socket
import struct
import threading
import time

PIECE_BYTES = 65_536
PATIENCE_SECONDS = 20


class Disturbance:
    """What happens to a connection once `after_bytes` went in one direction: nothing after them passes.

    kind: `cut` ends both sides in order, `reset` with a reset, `stall` keeps both open and lets nothing through in either
    direction until the proxy is told to go on."""

    def __init__(self, kind, direction, after_bytes, first=0, count=None):
        self.kind, self.direction, self.after_bytes, self.first, self.count = kind, direction, after_bytes, first, count

    def concerns(self, index):
        return index >= self.first and (self.count is None or index < self.first + self.count)


class Connection:
    """One connection through the proxy: the dialler's socket, the listener's, and what passed."""

    def __init__(self, dialler, listener, disturbance):
        self.ends = {"up": (dialler, listener), "down": (listener, dialler)}
        self.disturbance = disturbance
        self.bytes = {"up": 0, "down": 0}
        self.open_directions = 2
        self.is_stalled = False
        #: Directions in which nothing passes, and those in which something waits to.
        self.held, self.withheld = set(), set()
        self.is_closed = False


class Proxy:
    """Listens on `place` and dials `target` for whoever comes."""

    def __init__(self, place, target, name=""):
        self.place, self.target, self.name = place, target, name
        self.state = threading.Condition()
        self.connections = []
        #: Connections since the last `disturb`.
        self.count_since = 0
        self.disturbance = None
        #: Directions in which nothing passes on any connection.
        self.held = set()
        self.is_closed = False
        self.is_refusing = False
        #: How fast each direction of a connection is; None for as fast as can be.
        self.bytes_per_second = None
        self.threads = []
        family = socket.AF_INET6 if ":" in place[0] else socket.AF_INET
        self.listening = socket.socket(family, socket.SOCK_STREAM)
        self.listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listening.bind(place)
        self.listening.listen(128)
        self.start(self.accept)

    def start(self, body, *arguments):
        thread = threading.Thread(target=body, args=arguments, daemon=True)
        self.threads.append(thread)
        thread.start()

    # ---- What tests say

    def disturb(self, kind, direction, after_bytes, first=0, count=None):
        """Disturbs connections that begin from now on: the one numbered `first` from 0, and as many as `count` says."""
        with self.state:
            self.disturbance = Disturbance(kind, direction, after_bytes, first, count)
            self.count_since = 0

    def slow(self, bytes_per_second):
        """Lets pass so much in a second and no more, on each connection and in each direction."""
        with self.state:
            self.bytes_per_second = bytes_per_second

    def hold(self, *directions):
        """Lets nothing more through in these directions, on no connection."""
        with self.state:
            self.held.update(directions or ("up", "down"))

    def hold_connection(self, index, *directions):
        """The same for one connection, counted from 0 since the last `disturb`."""
        with self.state:
            self.connections[len(self.connections) - self.count_since + index].held.update(directions)

    def wait_withheld(self, direction, seconds=PATIENCE_SECONDS):
        """Waits until something would have passed that is held back."""
        self.wait_until(lambda proxy: any(direction in each.withheld for each in proxy.connections),
                        f"nothing was withheld {direction}", seconds)

    def refuse(self, is_refusing=True):
        """Whoever comes is turned away with a reset."""
        with self.state:
            self.is_refusing = is_refusing

    def calm(self):
        """Ends every disturbance: what was stalled goes on, and what begins is left alone."""
        with self.state:
            self.disturbance = None
            self.held.clear()
            self.is_refusing = False
            self.bytes_per_second = None
            for connection in self.connections:
                connection.disturbance = None
                connection.is_stalled = False
                connection.held.clear()
            self.state.notify_all()

    def cut(self, kind="cut"):
        """Ends all connections that are open."""
        with self.state:
            for connection in self.connections:
                self.end(connection, kind)

    def wait_until(self, condition, what, seconds=PATIENCE_SECONDS):
        """Waits until `condition(self)` holds; it is looked at whenever something passed, began or ended."""
        with self.state:
            if not self.state.wait_for(lambda: condition(self), seconds):
                seen = [(dict(each.bytes), each.is_stalled, each.is_closed) for each in self.connections]
                raise AssertionError(f"proxy {self.name}: {what}: not within {seconds} s; {seen}")

    def wait_stalled(self, seconds=PATIENCE_SECONDS):
        self.wait_until(lambda proxy: any(each.is_stalled for each in proxy.connections), "nothing was stalled", seconds)

    @property
    def open_count(self):
        with self.state:
            return sum(not each.is_closed for each in self.connections)

    @property
    def count_begun(self):
        with self.state:
            return len(self.connections)

    def passed(self, direction):
        """The bytes of all connections so far."""
        with self.state:
            return sum(each.bytes[direction] for each in self.connections)

    def close(self):
        with self.state:
            self.is_closed = True
            for connection in self.connections:
                self.end(connection, "cut")
            self.state.notify_all()
        try:
            self.listening.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listening.close()
        for thread in self.threads:
            thread.join(PATIENCE_SECONDS)

    # ---- Threads

    def accept(self):
        while True:
            try:
                dialler, _ = self.listening.accept()
            except OSError:
                return
            with self.state:
                is_refusing = self.is_refusing
            listener = None
            if not is_refusing:
                try:
                    listener = socket.create_connection(self.target, timeout=PATIENCE_SECONDS)
                    listener.settimeout(None)
                except OSError:
                    pass
            if listener is None:
                reset(dialler)
                dialler.close()
                continue
            for end in (dialler, listener):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.state:
                plan = self.disturbance
                connection = Connection(dialler, listener, plan if plan and plan.concerns(self.count_since) else None)
                self.count_since += 1
                self.connections.append(connection)
                if self.is_closed:
                    self.end(connection, "cut")
                self.state.notify_all()
            for direction in ("up", "down"):
                self.start(self.pump, connection, direction)

    def pump(self, connection, direction):
        source, target = connection.ends[direction]
        try:
            while self.may_go_on(connection, direction):
                try:
                    piece = source.recv(self.room(connection, direction))
                    if not piece:
                        break
                    # What comes while the connection is held waits here.
                    if not self.wait_held(connection, direction, piece):
                        break
                    target.sendall(piece)
                except OSError:
                    break
                with self.state:
                    connection.bytes[direction] += len(piece)
                    pace = self.bytes_per_second
                    self.state.notify_all()
                if pace:
                    time.sleep(len(piece) / pace)
        finally:
            self.finished(connection, target)

    def room(self, connection, direction):
        with self.state:
            plan = connection.disturbance
            if plan and plan.direction == direction:
                return max(1, min(PIECE_BYTES, plan.after_bytes - connection.bytes[direction]))
            return PIECE_BYTES

    def may_go_on(self, connection, direction):
        """Whether another piece may pass; waits while the connection is stalled."""
        with self.state:
            plan = connection.disturbance
            if plan and plan.direction == direction and connection.bytes[direction] >= plan.after_bytes:
                if plan.kind == "stall":
                    connection.is_stalled = True
                    self.state.notify_all()
                else:
                    self.end(connection, plan.kind)
        return self.wait_held(connection, direction)

    def wait_held(self, connection, direction, piece=None):
        def is_free():
            return connection.is_closed or not (
                connection.is_stalled or direction in self.held or direction in connection.held)

        with self.state:
            if piece and not is_free():
                connection.withheld.add(direction)
                self.state.notify_all()
            self.state.wait_for(is_free)
            connection.withheld.discard(direction)
            return not connection.is_closed

    def finished(self, connection, target):
        with self.state:
            connection.open_directions -= 1
            if connection.open_directions == 0:
                self.end(connection, "cut")
        if not connection.is_closed:
            try:
                target.shutdown(socket.SHUT_WR)
            except OSError:
                pass

    def end(self, connection, kind):
        """Closes both ends; the caller has the state."""
        if connection.is_closed:
            return
        connection.is_closed = True
        for end in connection.ends["up"]:
            if kind == "reset":
                reset(end)
            else:
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
            end.close()
        self.state.notify_all()


def reset(end):
    """Makes the close that follows a reset; whoever waits in a receive of it is woken."""
    try:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # Wakes a thread that waits in recv: a close alone would not.
        end.shutdown(socket.SHUT_RD)
    except OSError:
        pass
