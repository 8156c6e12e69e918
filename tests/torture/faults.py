"""What goes wrong, and is set right again. Each fault leaves the cluster whole, or nearly: late daemons come back."""

import signal
import time

from cluster import ClusterError, EXIT_FENCED, wait_until


class Faults:
    """Faults on a schedule that follows from the seed (their effect does not: real processes have real clocks)."""

    def __init__(self, cluster, shared, random, note, ports, add_clients):
        self.cluster, self.shared, self.random, self.note, self.ports = cluster, shared, random, note, ports
        self.add_clients = add_clients
        self.computes = 0
        self.takeover_name = "compute"
        self.schedule = [
            (self.kill_daemon, 4), (self.kill_zone, 2), (self.kill_two, 2), (self.kill_compute, 4),
            (self.pause_daemons, 3), (self.pause_compute, 2), (self.takeover, 3), (self.kill_everything, 1),
            (self.lose_quorum, 2), (self.kill_compute_while_opening, 2), (self.kill_compute_and_daemons, 2),
            (self.flap_daemon, 2), (self.terminate_daemon, 1), (self.race_of_openings, 1),
        ]

    def use_disks(self, disks):
        """Some daemons have disks that can be filled."""
        self.disks = disks
        self.schedule.append((self.fill_disks, 6))

    def fill_disks(self):
        """Others fill the disk of one daemon or two, for a while; sometimes it dies in that time and must start without a free block."""
        names = self.random.sample(self.disks.names, min(self.random.choice([1, 2]), len(self.disks.names)))
        self.note(f"fault: disk of {', '.join(names)} full")
        for name in names:
            self.disks.fill(name)
        self.pause(1, 8)
        if self.random.random() < 0.3:
            self.note(f"fault: kill {names[0]}, its disk is full")
            self.cluster.kill(names[0])
            self.cluster.bring_back(names[0])
            self.pause(0.5, 4)
        for name in names:
            self.disks.free(name)
        self.note(f"freed: disk of {', '.join(names)}")

    def next(self):
        total = sum(weight for _, weight in self.schedule)
        at = self.random.randrange(total)
        for fault, weight in self.schedule:
            at -= weight
            if at < 0:
                break
        self.run(fault)

    def run(self, fault):
        fault()
        self.cluster.mark_healthy()

    def pause(self, low, high):
        time.sleep(self.random.uniform(low, high))

    def nodes(self, count):
        return self.random.sample(self.cluster.NODES, count)

    # Two daemons gone cost nothing, so these do not excuse a statement that waits.

    def kill_and_return(self, names, low=0.5, high=6.0):
        self.note(f"fault: kill {', '.join(names)}")
        for name in names:
            self.cluster.kill(name)
        self.pause(low, high)
        for name in names:
            self.cluster.bring_back(name)
        self.note(f"back: {', '.join(names)}")

    def kill_daemon(self):
        self.kill_and_return(self.nodes(1))

    def kill_two(self):
        self.kill_and_return(self.nodes(2))

    def kill_zone(self):
        self.kill_and_return(list(self.random.choice(self.cluster.ZONES)))

    def flap_daemon(self):
        names = self.nodes(1)
        for _ in range(3):
            self.kill_and_return(names, 0.1, 0.5)
            self.pause(0.02, 0.5)

    def terminate_daemon(self):
        (name,) = self.nodes(1)
        self.note(f"fault: SIGTERM {name}")
        pid = self.cluster.pid(name)
        self.cluster.signal(name, signal.SIGTERM)
        wait_until(f"{name} to end by itself", lambda: self.cluster.pid(name) != pid, 30)
        self.pause(0.1, 2)
        self.cluster.bring_back(name)

    def pause_daemons(self):
        names = self.nodes(self.random.choice([1, 1, 2, 3]))
        seconds = self.random.uniform(0.5, 5)
        self.note(f"fault: pause {', '.join(names)} for {seconds:.1f} s")
        if len(names) > 2:
            self.cluster.mark_faulty()
        for name in names:
            self.cluster.signal(name, signal.SIGSTOP)
        time.sleep(seconds)
        for name in names:
            self.cluster.signal(name, signal.SIGCONT)

    def lose_quorum(self):
        names = self.nodes(3)
        self.note(f"fault: kill {', '.join(names)}: no write quorum")
        self.cluster.mark_faulty()
        for name in names:
            self.cluster.kill(name)
        self.pause(2, 6)
        for name in names:
            self.cluster.bring_back(name)
        self.note(f"back: {', '.join(names)}")

    # Compute.

    def compute(self):
        return self.takeover_name

    def kill_compute(self):
        self.note(f"fault: kill {self.compute()}")
        self.cluster.mark_faulty()
        self.cluster.kill(self.compute())
        self.pause(0, 1.5)
        self.return_compute()

    def return_compute(self):
        started = time.monotonic()
        self.cluster.bring_back(self.compute())
        self.cluster.wait_for_compute()
        self.note(f"back: {self.compute()} writes after {time.monotonic() - started:.1f} s")

    def kill_compute_while_opening(self):
        self.note(f"fault: kill {self.compute()}, and again while it opens")
        self.cluster.mark_faulty()
        self.cluster.kill(self.compute())
        for _ in range(self.random.randint(1, 3)):
            self.cluster.bring_back(self.compute())
            self.pause(0.005, 0.25)
            self.cluster.kill(self.compute())
        self.return_compute()

    def kill_compute_and_daemons(self):
        names = self.nodes(self.random.choice([1, 2, 2]))
        self.note(f"fault: kill {self.compute()} and {', '.join(names)} at once")
        self.cluster.mark_faulty()
        for name in names + [self.compute()]:
            self.cluster.kill(name)
        if self.random.random() < 0.5:
            # The opening has four members; the others come back with ghosts.
            self.return_compute()
            self.pause(0.5, 4)
            for name in names:
                self.cluster.bring_back(name)
        else:
            for name in names:
                self.cluster.bring_back(name)
            self.return_compute()

    def pause_compute(self):
        seconds = self.random.uniform(0.3, 5)
        self.note(f"fault: pause {self.compute()} for {seconds:.1f} s")
        self.cluster.mark_faulty()
        self.cluster.signal(self.compute(), signal.SIGSTOP)
        time.sleep(seconds)
        self.cluster.signal(self.compute(), signal.SIGCONT)

    def takeover(self):
        """Another compute opens the volume, while the first is paused or in the midst of its work."""
        old, is_paused = self.compute(), self.random.random() < 0.7
        self.computes += 1
        name, port = f"compute-{self.computes}", next(self.ports)
        self.note(f"fault: {name} takes over from {'paused ' if is_paused else ''}{old}")
        self.cluster.mark_faulty()
        pid = self.cluster.pid(old)
        if is_paused:
            self.cluster.signal_pid(pid, signal.SIGSTOP)
        self.cluster.takeover(name, port)
        self.takeover_name = name
        # Their writes are what the old one must not be unaware of when it answers again.
        self.add_clients(8)
        self.pause(0.1, 4)
        if is_paused:
            self.cluster.signal_pid(pid, signal.SIGCONT)
        try:
            wait_until(f"{old} to end as fenced", lambda: self.cluster.pid(old) != pid, 30)
        except ClusterError as error:
            self.shared.violation("fencing", f"{old} (process {pid}) goes on: {error}")
            self.cluster.signal_pid(pid, signal.SIGKILL)
        for ended, code in self.cluster.exits:
            if ended == old and code != EXIT_FENCED and code != -signal.SIGKILL:
                self.shared.violation("fencing", f"{old} ended with {code}")
        self.note(f"{old} has ended; {name} writes")

    def race_of_openings(self):
        """Two computes open the volume at once: one of them is left."""
        old = self.compute()
        names = [f"compute-{self.computes + 1}", f"compute-{self.computes + 2}"]
        self.computes += 2
        ports = {name: next(self.ports) for name in names}
        is_killed = self.random.random() < 0.5
        self.note(f"fault: {' and '.join(names)} open at once, {old} {'is dead' if is_killed else 'runs'}")
        self.cluster.mark_faulty()
        pid = self.cluster.pid(old)
        if is_killed:
            # Of the supervisor's child only a fenced one stays dead.
            is_killed = not (self.cluster.is_restarting and old == "compute")
            if is_killed:
                self.cluster.kill(old)
        for name in names:
            self.cluster.arguments[name] = self.cluster.compute_words(name, ports[name])
            self.cluster.start_by_hand(name)
            self.pause(0, 0.05)
        try:
            wait_until("one of two computes to be left", lambda: sum(map(self.cluster.is_up, names)) <= 1, 20)
        except ClusterError as error:
            self.shared.violation("fencing", f"{names}: {error}")
            writers = [name for name in names if self.cluster.can_write(ports[name])]
            for name in names:
                if name not in writers[:1]:
                    self.cluster.kill(name)
        left = [name for name in names if self.cluster.is_up(name)]
        if not left:
            self.shared.violation("fencing", f"none of {names} is left: {self.cluster.exits[-2:]}")
            left = names[:1]
            self.cluster.start_by_hand(left[0])
        self.cluster.port, self.takeover_name = ports[left[0]], left[0]
        self.cluster.wait_for_compute()
        wait_until(f"{old} to end as fenced", lambda: self.cluster.pid(old) != pid, 30)
        self.note(f"{left[0]} is left and writes")

    def kill_everything(self):
        self.note("fault: kill everything")
        self.cluster.kill_everything()
        self.pause(0, 1)
        started = time.monotonic()
        self.takeover_name = "compute"
        self.cluster.start()
        self.note(f"back: everything after {time.monotonic() - started:.1f} s")
