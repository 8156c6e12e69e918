"""Disks of their own for some daemons, small enough to be filled: an ext4 on a loop device each. Needs root."""

import os
import shutil
import subprocess
import time

# Room for what a run writes, so that a daemon is full only while its disk is filled.
DISK_BYTES = 768 << 20


class SmallDisks:
    """A mounted disk for each of `names`, below the data directory where its daemon looks for it, with what it has there."""

    def __init__(self, directory, data_dir, names):
        self.names, self.mounted = list(names), {}
        for name in self.names:
            image, target = os.path.join(directory, f"{name}.img"), os.path.join(data_dir, name)
            with open(image, "wb") as file:
                file.truncate(DISK_BYTES)
            subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", image], check=True)
            os.rename(target, target + ".moved")
            os.mkdir(target)
            subprocess.run(["mount", "-o", "loop", image, target], check=True)
            self.mounted[name] = target
            # What was reserved stays so: no holes.
            subprocess.run(["cp", "-a", "--sparse=never", target + ".moved/.", target], check=True)
            shutil.rmtree(target + ".moved")

    def fill(self, name):
        """Takes all that is left, to the last block."""
        with open(self._ballast(name), "wb") as file:
            at, step = 0, 64 << 20
            while step >= 4096:
                try:
                    os.posix_fallocate(file.fileno(), at, step)
                    at += step
                except OSError:
                    step //= 4

    def free(self, name):
        os.remove(self._ballast(name))

    def free_all(self):
        for name in self.names:
            if os.path.exists(self._ballast(name)):
                self.free(name)

    def _ballast(self, name):
        return os.path.join(self.mounted[name], "ballast")

    def remove(self):
        for target in self.mounted.values():
            for _ in range(100):
                if subprocess.run(["umount", target], capture_output=True, check=False).returncode == 0:
                    break
                time.sleep(0.1)  # io_uring's rings are torn down a moment after their process
