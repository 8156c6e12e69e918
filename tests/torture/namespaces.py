"""A cluster with a network: each daemon and each compute in a network namespace of its own, with one address, joined by a bridge.

Owns the namespaces and what can be done to their links; `network_faults.py` decides when. Needs root, `iproute2` and `iptables`. The cluster is made
by `hexalog local` on the loopback interface, as always, and then moved: metadata gets the new addresses, and each process is started by hand.
"""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time

from cluster import Cluster, _has_threads, wait_until

# The bridge has this host part, and is where clients connect from; daemons have their number, computes those from here on.
BRIDGE_HOST, COMPUTE_HOST_FIRST = 254, 11
PROXY_PORT = 17000
HERE = os.path.dirname(os.path.abspath(__file__))


def run(*words, check=True):
    return subprocess.run(words, capture_output=True, text=True, check=check)


class Namespaces:
    """Namespaces by name, each with an address on one bridge."""

    def __init__(self, number):
        self.tag, self.subnet = f"hx{number}", f"10.213.{number % 250}"
        self.bridge = f"{self.tag}br"
        self.hosts = {}  # name -> host part

    def make(self):
        run("ip", "link", "add", self.bridge, "type", "bridge")
        run("ip", "address", "add", f"{self.subnet}.{BRIDGE_HOST}/24", "dev", self.bridge)
        run("ip", "link", "set", self.bridge, "up")

    def add(self, name, host):
        self.hosts[name] = host
        namespace, link = self.namespace(name), self.link(name)
        run("ip", "netns", "add", namespace)
        run("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", namespace)
        run("ip", "link", "set", link, "master", self.bridge, "up")
        run("ip", "-n", namespace, "address", "add", f"{self.address(name)}/24", "dev", "eth0")
        for device in ("eth0", "lo"):
            run("ip", "-n", namespace, "link", "set", device, "up")

    def remove(self):
        """Everything that was made; what is not there is no error."""
        for name in list(self.hosts):
            run("ip", "netns", "del", self.namespace(name), check=False)
            run("ip", "link", "del", self.link(name), check=False)
        run("ip", "link", "del", self.bridge, check=False)
        self.hosts.clear()

    def namespace(self, name):
        return f"{self.tag}-{self.hosts[name]}"

    def link(self, name):
        return f"{self.tag}v{self.hosts[name]}"

    def address(self, name):
        return f"{self.subnet}.{self.hosts[name]}"

    def inside(self, name):
        """The words before a command that is to run there; `ip` becomes the command, so its process id is the command's."""
        return ["ip", "netns", "exec", self.namespace(name)]

    # -- what can be done to a link ----------------------------------------------------------------------------

    def set_up(self, name, is_up):
        run("ip", "link", "set", self.link(name), "up" if is_up else "down")

    def _rule(self, name, table, rule):
        run(*self.inside(name), "iptables", "-w", "-t", table, *rule)

    def drop_from(self, name, other, probability=1.0):
        """What `other` (None: anyone) sends to `name` is lost, all or some of it."""
        rule = ["-A", "INPUT"] + (["-s", self.address(other)] if other else ["-i", "eth0"])
        if probability < 1:
            rule += ["-m", "statistic", "--mode", "random", "--probability", str(probability)]
        self._rule(name, "filter", rule + ["-j", "DROP"])

    def reset_connections(self, name, seconds=1.0):
        """Every connection into and out of `name` is reset by the next packet that arrives."""
        rule = ["INPUT", "-i", "eth0", "-p", "tcp", "-j", "REJECT", "--reject-with", "tcp-reset"]
        self._rule(name, "filter", ["-I"] + rule)
        time.sleep(seconds)
        self._rule(name, "filter", ["-D"] + rule)

    def redirect(self, name, port_first, port_last):
        """New connections to these ports reach the slow proxy instead."""
        rule = ["-A", "PREROUTING", "-i", "eth0", "-p", "tcp", "--dport", f"{port_first}:{port_last}"]
        self._rule(name, "nat", rule + ["-j", "REDIRECT", "--to-ports", str(PROXY_PORT)])

    def clear(self, name):
        self.set_up(name, True)
        for table in ("filter", "nat"):
            self._rule(name, table, ["-F"])


class NamespaceCluster(Cluster):
    """As `Cluster`, with every process started by hand in its namespace."""

    def __init__(self, binary, data_dir, port, options, is_restarting, note):
        if is_restarting:
            raise ValueError("with namespaces nobody supervises: --restart makes no sense")
        super().__init__(binary, data_dir, port, options, is_restarting, note)
        self.network = Namespaces(port)
        self.proxies = {}  # name -> Popen
        self.is_moved = False

    # -- the whole ---------------------------------------------------------------------------------------------

    def start(self):
        if not self.is_moved:
            super().start()
            if super().stop() != 0:
                raise RuntimeError("hexalog local does not stop")
            self.network.make()
            for number, name in enumerate(self.NODES, 1):
                self.network.add(name, number)
                self._move(name, number)
            self.is_moved = True
            self.arguments["compute"] = self.compute_words("compute", self.port_first)
        self.port = self.port_first
        for name in self.NODES + ["compute"]:
            self.network.clear(name)
            self.start_by_hand(name)
        self.wait_for_compute()
        self.mark_healthy()

    def _move(self, name, number):
        """The daemon's command and metadata's entry for it, with its new address."""
        words = [word for word in self.arguments[name] if word != "--die-with-parent"]
        at = words.index("--listen") + 1
        port = int(words[at].rsplit(":", 1)[1])
        words[at] = f"{self.network.address(name)}:{port}"
        self.arguments[name] = self.network.inside(name) + words + ["--insecure-no-auth"]
        with sqlite3.connect(os.path.join(self.data_dir, "metadata.sqlite")) as metadata:
            key = f"node/{number}"
            node = json.loads(metadata.execute("SELECT value FROM metadata WHERE key = ?", (key,)).fetchone()[0])
            assert node["port"] == port, "metadata and the command name the same port"
            node["host"] = self.network.address(name)
            value = json.dumps(node, indent=2).encode()
            metadata.execute("UPDATE metadata SET value = ?, revision = revision + 1 WHERE key = ?", (value, key))

    def compute_words(self, name, port):
        if name not in self.network.hosts:
            computes = sum(1 for host in self.network.hosts.values() if host >= COMPUTE_HOST_FIRST)
            self.network.add(name, COMPUTE_HOST_FIRST + computes)
        words = [word for word in self.arguments["compute"] if word not in ("--die-with-parent", "--insecure-no-auth")]
        words = words[words.index(self.binary) :]
        words[words.index("--listen") + 1] = f"{self.network.address(name)}:{port}"
        self.host_of_port[port] = self.network.address(name)
        return self.network.inside(name) + words + ["--insecure-no-auth"]

    def stop(self):
        """SIGTERM to all; 0 if each ended by itself and well."""
        self._reap()
        running = [process for process in self.by_hand.values() if process.poll() is None]
        for process in running:
            process.terminate()
        return max((abs(process.wait(60)) for process in running), default=0)

    def kill_everything(self):
        self.mark_faulty()
        running = [process for process in self.by_hand.values() if process.poll() is None]
        for process in running:
            process.kill()
        for process in running:
            process.wait(10)
        wait_until("all to die", lambda: not any(_has_threads(process.pid) for process in running), 20, 0.01)
        self._reap()
        self.by_hand.clear()
        for name in list(self.proxies):
            self.stop_proxy(name)

    def remove(self):
        self.network.remove()

    def has_ended(self):
        return None

    # -- the slow proxy ----------------------------------------------------------------------------------------

    def start_proxy(self, name, delay_ms):
        """Everything that reaches the daemon, and its answers, take this much longer each."""
        words = self.arguments[name]
        port = int(words[words.index("--listen") + 1].rsplit(":", 1)[1])
        shards = int(words[words.index("--shards") + 1]) if "--shards" in words else 1
        command = [sys.executable, "-B", f"{HERE}/slow_proxy.py", str(PROXY_PORT), self.network.address(name), str(delay_ms)]
        self.proxies[name] = subprocess.Popen(self.network.inside(name) + command, stdout=subprocess.PIPE, text=True)
        if self.proxies[name].stdout.readline() != "listening\n":
            raise RuntimeError("the slow proxy does not start")
        self.network.redirect(name, port, port + shards - 1)
        # What is connected already would go past it.
        self.network.reset_connections(name)

    def stop_proxy(self, name):
        proxy = self.proxies.pop(name, None)
        if proxy is not None:
            proxy.send_signal(signal.SIGKILL)
            proxy.wait(10)
