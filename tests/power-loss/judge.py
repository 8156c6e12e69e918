"""Judges one image: mounts it, starts the cluster that it holds, and asks it everything. Runs on the host as root."""

import os
import signal
import subprocess
import time

import psycopg2

import load

START_MAX_S = 60


class Verdict(Exception):
    """The image is bad; the text says how."""


class Mounted:
    """A loop device and a mount that are gone afterwards, whatever happens."""

    def __init__(self, image, directory):
        self.image, self.directory = image, directory

    def __enter__(self):
        os.makedirs(self.directory, exist_ok=True)
        command = ["mount", "-o", "loop,nouuid", "-t", "xfs", self.image, self.directory]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise Verdict(f"the file system does not mount: {done.stderr.strip()}")
        return self.directory

    def __exit__(self, *_):
        for attempt in range(50):
            if subprocess.run(["umount", self.directory], capture_output=True).returncode == 0:
                return
            time.sleep(0.1)  # io_uring's rings are torn down a moment after their process
        raise RuntimeError(f"{self.directory} stays busy; umount it by hand")


def judge(image, directory, binary, port, options, acked, attempted):
    """Raises `Verdict` when anything acknowledged is missing, anything is there in part, or the cluster does not come up and take writes."""
    with Mounted(image, directory):
        log_path = f"{image}.log"
        with open(log_path, "w") as log:
            command = [binary, "local", "--data-dir", f"{directory}/data", "--listen", f"127.0.0.1:{port}", *options]
            local = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            wait_until_ready(local, log_path)
            ask(port, acked, attempted)
        finally:
            stop(local)


def wait_until_ready(local, log_path):
    deadline = time.monotonic() + START_MAX_S
    while "ready after" not in open(log_path).read():
        if local.poll() is not None:
            raise Verdict(f"the cluster ended with {local.returncode}:\n{open(log_path).read()}")
        if time.monotonic() > deadline:
            raise Verdict(f"the cluster is not ready after {START_MAX_S} s:\n{open(log_path).read()}")
        time.sleep(0.05)


def ask(port, acked, attempted):
    try:
        with psycopg2.connect(host="127.0.0.1", port=port, user="postgres", dbname="postgres") as connection:
            connection.cursor().execute("SET statement_timeout = '30s'")
            found = load.violations(connection, acked, attempted)
            if found:
                raise Verdict("\n".join(found))
            connection.commit()
            # It must take writes again, and hold what it holds beside them.
            for client, sequence in enumerate(last_sequences(connection)):
                load.transaction(connection, client, sequence + 1)
            found = load.violations(connection, acked, [count + 1 for count in attempted])
            if found:
                raise Verdict("after new writes:\n" + "\n".join(found))
    except psycopg2.Error as error:
        raise Verdict(f"a statement failed: {error}") from error


def last_sequences(connection):
    with connection.cursor() as cursor:
        for client in range(load.CLIENTS):
            cursor.execute("SELECT coalesce(max(sequence), 0) FROM history WHERE client = %s", (client,))
            yield cursor.fetchone()[0]


def stop(local):
    if local.poll() is None:
        local.send_signal(signal.SIGINT)
    try:
        local.wait(30)
    except subprocess.TimeoutExpired:
        local.kill()
        local.wait()
        raise RuntimeError("the cluster does not stop on SIGINT") from None
