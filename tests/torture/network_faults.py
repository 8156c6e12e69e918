"""What goes wrong with the network. Beside the faults of processes, when the cluster has a network (`namespaces.py`)."""

import signal

from cluster import EXIT_FENCED, ClusterError, wait_until
from faults import Faults


class NetworkFaults(Faults):
    """Cuts, one-way cuts, loss and delay; each is mended before the next."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.schedule += [
            (self.cut_daemons, 4), (self.cut_zone, 3), (self.cut_one_way, 4), (self.cut_between_daemons, 3),
            (self.cut_compute_from_daemons, 3), (self.lose_packets, 3), (self.delay_daemons, 3), (self.take_over_from_cut, 3),
            (self.cut_clients, 1),
        ]

    @property
    def network(self):
        return self.cluster.network

    def mend(self, names):
        for name in names:
            self.network.clear(name)
        self.note(f"mended: {', '.join(names)}")

    # Two daemons out of reach cost nothing, so these do not excuse a statement that waits.

    def cut_daemons(self):
        names = self.nodes(self.random.choice([1, 1, 2, 3]))
        if len(names) > 2:
            self.cluster.mark_faulty()
        self.note(f"fault: {', '.join(names)} cut off")
        for name in names:
            self.network.set_up(name, False)
        self.pause(0.5, 8)
        self.mend(names)

    def cut_zone(self):
        names = list(self.random.choice(self.cluster.ZONES))
        self.note(f"fault: zone of {', '.join(names)} cut off")
        for name in names:
            self.network.set_up(name, False)
        self.pause(1, 10)
        self.mend(names)

    def cut_one_way(self):
        """Hears nothing but can speak, or hears one other daemon not."""
        (name,) = self.nodes(1)
        self.note(f"fault: {name} hears nothing")
        self.network.drop_from(name, None)
        self.pause(0.5, 8)
        self.mend([name])

    def cut_between_daemons(self):
        """Gossip fails in one direction or both between some pairs; compute reaches all."""
        pairs = [self.nodes(2) for _ in range(self.random.randint(1, 6))]
        self.note("fault: " + ", ".join(f"{name} does not hear {other}" for name, other in pairs))
        for name, other in pairs:
            self.network.drop_from(name, other)
        self.pause(1, 8)
        self.mend(sorted({name for name, _ in pairs}))

    def lose_packets(self):
        names, probability = self.nodes(self.random.choice([1, 2])), self.random.choice([0.01, 0.05, 0.2])
        self.note(f"fault: {', '.join(names)} lose {probability:.0%} of what is sent to them")
        for name in names:
            self.network.drop_from(name, None, probability)
        self.pause(1, 8)
        self.mend(names)

    def delay_daemons(self):
        names, delay_ms = self.nodes(self.random.choice([1, 2])), self.random.choice([5, 50, 300])
        self.note(f"fault: {', '.join(names)} are {delay_ms} ms away")
        for name in names:
            self.cluster.start_proxy(name, delay_ms)
        self.pause(1, 6)
        for name in names:
            self.cluster.stop_proxy(name)
        self.mend(names)

    # Compute.

    def cut_compute_from_daemons(self):
        names = self.nodes(self.random.choice([1, 2, 3, 4, 6]))
        self.note(f"fault: {self.compute()} does not hear {', '.join(names)}")
        if len(names) > 2:
            self.cluster.mark_faulty()
        for name in names:
            self.network.drop_from(self.compute(), name)
        self.pause(0.5, 6)
        self.mend([self.compute()])

    def cut_clients(self):
        """Connections of all clients break; what they were about to hear they hear never."""
        self.note(f"fault: connections of {self.compute()} are reset")
        self.cluster.mark_faulty()
        self.network.reset_connections(self.compute(), self.random.uniform(0.2, 1))

    def take_over_from_cut(self):
        """Compute lives and is cut off from storage but not from its clients; another opens; the first must not answer from what it knew."""
        old = self.compute()
        self.computes += 1
        name, port = f"compute-{self.computes}", next(self.ports)
        self.note(f"fault: {name} takes over from {old}, which is cut off from storage")
        self.cluster.mark_faulty()
        pid = self.cluster.pid(old)
        for node in self.cluster.NODES:
            self.network.drop_from(old, node)
        self.cluster.takeover(name, port)
        self.takeover_name = name
        self.add_clients(8)
        self.pause(0.5, 5)
        self.mend([old])
        try:
            wait_until(f"{old} to end as fenced", lambda: self.cluster.pid(old) != pid, 60)
        except ClusterError as error:
            self.shared.violation("fencing", f"{old} (process {pid}) goes on: {error}")
            self.cluster.signal_pid(pid, signal.SIGKILL)
        for ended, code in self.cluster.exits:
            if ended == old and code not in (EXIT_FENCED, -signal.SIGKILL):
                self.shared.violation("fencing", f"{old} ended with {code}")
        self.note(f"{old} has ended; {name} writes")
