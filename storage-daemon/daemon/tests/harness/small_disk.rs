//! A small file system of its own on a loop device, gone with its owner.
#![allow(clippy::disallowed_methods)]

use std::path::{Path, PathBuf};
use std::process::Command;

/// A mounted ext4.
pub struct SmallDisk {
    directory: tempfile::TempDir,
    mounted: PathBuf,
}

impl SmallDisk {
    /// Makes and mounts one; `None`, with a line that says why, where this machine or user cannot.
    pub fn mount(bytes: u64) -> Option<SmallDisk> {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let image = directory.path().join("image");
        let mounted = directory.path().join("mounted");
        std::fs::create_dir(&mounted).expect("makes");
        std::fs::File::create(&image).and_then(|file| file.set_len(bytes)).expect("makes");
        let mut make = Command::new("mkfs.ext4");
        make.args(["-q", "-F", "-m", "0"]).arg(&image);
        let mut mount = Command::new("mount");
        mount.args(["-o", "loop"]).arg(&image).arg(&mounted);
        for command in [&mut make, &mut mount] {
            match command.output() {
                Ok(output) if output.status.success() => {}
                Ok(output) => {
                    eprintln!("skipped: {command:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
                    return None;
                }
                Err(error) => {
                    eprintln!("skipped: {command:?}: {error}");
                    return None;
                }
            }
        }
        Some(SmallDisk { directory, mounted })
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.mounted
    }

    /// Takes all of its space, to the last block.
    pub fn fill(&self) {
        let path = self.ballast();
        let ballast = std::fs::File::create(&path).expect("makes");
        let block = vec![0xa5; 1 << 20];
        let mut at = 0;
        // In ever smaller writes, down to a block.
        for bytes in [1 << 20, 64 << 10, 4 << 10] {
            while std::os::unix::fs::FileExt::write_all_at(&ballast, &block[..bytes], at).is_ok() {
                at += bytes as u64;
            }
        }
        // Blocks are given out when they are written back.
        let _ = ballast.sync_all();
    }

    /// Gives it back.
    pub fn free(&self) {
        std::fs::remove_file(self.ballast()).expect("it was filled");
    }

    fn ballast(&self) -> PathBuf {
        self.mounted.join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // A daemon's rings are torn down a moment after its process.
        for _ in 0..100 {
            if Command::new("umount").arg(&self.mounted).output().is_ok_and(|output| output.status.success())
            {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        eprintln!("{} stays mounted", self.directory.path().display());
    }
}
