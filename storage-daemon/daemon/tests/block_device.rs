//! `hexalogd` on a block device without a file system: a loop device, so only as root; skipped with a message otherwise.

#![allow(clippy::disallowed_methods, clippy::unwrap_used)]

mod harness;

use harness::*;
use hexalog_protocol::PageId;
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// `open` flag of Linux: of a block device, with nobody else.
const O_EXCL: i32 = 0o200;
const OPTIONS: [&str; 2] = ["--device-bytes", "64MiB"];

/// A file as a block device.
struct LoopDevice {
    path: PathBuf,
    file: tempfile::NamedTempFile,
}

impl LoopDevice {
    fn new(bytes: u64) -> Option<LoopDevice> {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(bytes).unwrap();
        let output = Command::new("losetup").args(["--find", "--show"]).arg(file.path()).output();
        match output {
            Ok(output) if output.status.success() => {
                let path = String::from_utf8(output.stdout).unwrap().trim().into();
                Some(LoopDevice { path, file })
            }
            _ => {
                eprintln!("skipped: there is no loop device without more rights");
                None
            }
        }
    }
}

impl Drop for LoopDevice {
    fn drop(&mut self) {
        let _ = Command::new("losetup").arg("--detach").arg(&self.path).status();
    }
}

fn refused((status, said): (std::process::ExitStatus, String), code: i32, text: &str) {
    assert_eq!(status.code(), Some(code), "{said}");
    assert!(said.contains(text), "should say {text:?}: {said}");
}

#[test]
fn kill_9_loses_nothing_that_was_acknowledged() {
    for durability in ["fsync", "dsync-thread"] {
        let Some(device) = LoopDevice::new(256 << 20) else { return };
        let options = ["--durability", durability, "--shards", "2"];
        let mut daemon = Daemon::start_with(&device.path, &options);
        let mut writers: Vec<Writer> =
            daemon.ready().into_iter().map(|address| Writer::connect(address, 9)).collect();
        for writer in &mut writers {
            writer.create();
            (0..16).for_each(|_| writer.append());
        }
        let begin = Instant::now();
        while writers.iter().any(|writer| writer.acknowledged.0 < 1_000) && begin.elapsed() < HANG {
            for writer in &mut writers {
                assert!(writer.await_ack());
                writer.append();
            }
        }
        daemon.kill();
        for writer in &mut writers {
            while writer.await_ack() {}
        }
        // At once: the kernel lets go of the device a moment after the process.
        let mut daemon = Daemon::start_with(&device.path, &options);
        for (address, writer) in daemon.ready().into_iter().zip(&writers) {
            let status = Writer::connect(address, 9).status().expect("the segment is there");
            assert!(status.scl >= writer.acknowledged && status.scl <= writer.last, "{durability}");
        }
        daemon.signal("TERM");
        let (status, said) = daemon.wait();
        assert_eq!(status.code(), Some(0), "{said}");
    }
}

/// More log than the ring holds goes round in it, and pages are read back: nothing leaves its own stretch of the device.
#[test]
fn the_log_goes_round_and_pages_are_served() {
    let Some(device) = LoopDevice::new(256 << 20) else { return };
    let mut daemon = Daemon::start_with(&device.path, &["--shards", "2"]);
    let mut addresses = daemon.ready();
    let mut untouched = Writer::connect(addresses[1], 7);
    untouched.create();
    untouched.append_to(PageId(5));
    assert!(untouched.await_ack());
    let mut writer = Writer::connect(addresses[0], 7);
    writer.create();
    for round in 0..3_200 {
        writer.append_to(PageId(round % 16));
        assert!(writer.await_ack());
    }
    for restarts in 0..2 {
        let mut reader = writer.reconnect(addresses[0]);
        assert_eq!(reader.status().expect("the segment is there").scl, writer.last, "{restarts} restarts");
        for page in (0..16).map(PageId) {
            let lsn = writer.last.0 - 15 + page.0;
            assert_eq!(reader.read(page).map(|lsn| lsn.0), Some(lsn), "{page:?}, {restarts} restarts");
        }
        let mut reader = untouched.reconnect(addresses[1]);
        assert_eq!(reader.status().expect("it too").scl, untouched.last);
        assert_eq!(reader.read(PageId(5)), Some(untouched.last));
        if restarts == 0 {
            daemon.signal("TERM");
            assert_eq!(daemon.wait().0.code(), Some(0));
            daemon = Daemon::start_with(&device.path, &[]);
            addresses = daemon.ready();
        }
    }
}

#[test]
fn nothing_foreign_is_written_over_and_nobody_else_gets_it() {
    let Some(device) = LoopDevice::new(256 << 20) else { return };
    refused(Daemon::start_as_it_is(&device.path, &OPTIONS).wait(), 38, "hexalogd format --device /dev/loop");
    let signature = b"XFSB";
    write_at(&device.path, 0, signature);
    refused(format(&device.path, &OPTIONS), 11, "holds an XFS file system; --force");
    let mut left = [0; 4];
    File::open(&device.path).unwrap().read_exact(&mut left).unwrap();
    assert_eq!(&left, signature, "it is as it was");
    write_at(&device.path, 0, &[0; 4]);
    let end = device.file.as_file().metadata().unwrap().len();
    write_at(&device.path, end - 4096, b"a copy of something");
    refused(format(&device.path, &OPTIONS), 11, "of its last MiB is not zero");
    let (status, said) = format(&device.path, &["--force"]);
    assert!(status.success(), "{said}");
    refused(format(&device.path, &OPTIONS), 11, "is the device of node 1 already");
    let mut daemon = Daemon::start_as_it_is(&device.path, &[]);
    daemon.ready();
    refused(Daemon::start_as_it_is(&device.path, &[]).wait(), 11, "is in use");
    refused(format(&device.path, &["--force"]), 11, "is in use");
    let exclusively = File::options().read(true).custom_flags(O_EXCL).open(&device.path);
    assert_eq!(exclusively.map_err(|error| error.kind()).err(), Some(ErrorKind::ResourceBusy));
    daemon.signal("TERM");
    assert_eq!(daemon.wait().0.code(), Some(0));
    refused(Daemon::start_as_it_is(&device.path, &["--node", "2"]).wait(), 30, "--node 1, not 2");
    // One copy of the label is enough. Without any it is not taken for an empty one.
    write_at(&device.path, 0, &[0xff; 4096]);
    Daemon::start_as_it_is(&device.path, &[]).ready();
    write_at(&device.path, 64 << 10, &[0xff; 4096]);
    refused(Daemon::start_as_it_is(&device.path, &[]).wait(), 11, "no label of a daemon's device");
}

#[test]
fn a_device_that_is_too_small_is_told() {
    let Some(device) = LoopDevice::new(48 << 20) else { return };
    refused(format(&device.path, &OPTIONS), 34, "give --device-bytes ");
    refused(format(&device.path, &["--device-bytes", "4MiB"]), 2, "too small");
    assert!(format(&device.path, &["--device-bytes", "40MiB"]).0.success());
    // It shrinks below what it was formatted with.
    device.file.as_file().set_len(16 << 20).unwrap();
    assert!(Command::new("losetup").arg("--set-capacity").arg(&device.path).status().unwrap().success());
    let options = ["--device-bytes", "40MiB"];
    refused(Daemon::start_as_it_is(&device.path, &options).wait(), 30, "it is not all there");
}

fn write_at(device: &Path, offset: u64, bytes: &[u8]) {
    let mut file = File::options().read(true).write(true).open(device).unwrap();
    file.write_all_at(bytes, offset).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    file.flush().unwrap();
    file.sync_all().unwrap();
}
