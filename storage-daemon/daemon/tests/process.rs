//! `hexalogd` from outside: a real process, real files, real signals.

#![allow(clippy::disallowed_methods, clippy::unwrap_used)]

mod harness;

use harness::*;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

#[test]
fn it_starts_says_that_it_is_ready_and_stops_cleanly() {
    for (signal, options) in [
        ("TERM", &["--shards", "3"][..]),
        ("INT", &["--durability", "dsync-thread", "--threads", "1", "--shards", "2", "--pin", "on"]),
        ("TERM", &["--buffered", "--durability", "fsync"]),
    ] {
        let directory = tempfile::tempdir().unwrap();
        for start in ["first", "second"] {
            let mut daemon = Daemon::start_with(&directory.path().join("new/dir"), options);
            for address in daemon.ready() {
                let mut writer = Writer::connect(address, 1);
                if start == "first" {
                    writer.create();
                    writer.append();
                    assert!(writer.await_ack());
                }
                assert_eq!(writer.status().expect("the segment is there").scl.0, 1, "{start} start");
            }
            daemon.signal(signal);
            let (status, said) = daemon.wait();
            assert_eq!(status.code(), Some(0), "{said}");
            assert!(said.contains(&format!("SIG{signal}: stops")), "{said}");
            assert!(said.ends_with("stopped"), "{said}");
        }
    }
}

#[test]
fn kill_9_loses_nothing_that_was_acknowledged() {
    for durability in ["fsync", "dsync-thread"] {
        let directory = tempfile::tempdir().unwrap();
        let mut daemon = Daemon::start_with(directory.path(), &["--durability", durability]);
        let mut writer = Writer::connect(daemon.ready()[0], 9);
        writer.create();
        // A window of 16 batches, so that the kill meets some in flight.
        (0..16).for_each(|_| writer.append());
        let begin = Instant::now();
        while writer.acknowledged.0 < 2_000 && begin.elapsed() < HANG {
            assert!(writer.await_ack());
            writer.append();
        }
        daemon.kill();
        while writer.await_ack() {}
        let acknowledged = writer.acknowledged;
        assert!(acknowledged.0 >= 2_000);
        // At once, on the same directory: lock and port are retried.
        let mut daemon = Daemon::start_with(directory.path(), &["--durability", durability]);
        let mut reader = Writer::connect(daemon.ready()[0], 9);
        let status = reader.status().expect("the segment is there");
        assert!(
            status.scl >= acknowledged,
            "{durability}: {} acknowledged, {} kept",
            acknowledged,
            status.scl
        );
        assert!(status.scl <= writer.last);
    }
}

#[test]
fn a_killed_daemon_can_be_started_again_at_once_on_its_port() {
    let directory = tempfile::tempdir().unwrap();
    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    for _ in 0..5 {
        let mut daemon = Daemon::start_with(directory.path(), &["--listen", &listen]);
        let address = daemon.ready()[0];
        assert_eq!(address.port(), port);
        drop(Writer::connect(address, 1));
        daemon.kill();
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Starts a daemon that cannot run, and checks its exit code and what it says.
fn check_refusal(directory: &Path, options: &[&str], code: i32, text: &str) {
    check_end(Daemon::start_as_it_is(directory, options).wait(), options, code, text);
}

/// The same of a device that cannot be formatted.
fn check_format_refusal(place: &Path, options: &[&str], code: i32, text: &str) {
    check_end(format(place, options), options, code, text);
}

fn check_end((status, said): (std::process::ExitStatus, String), options: &[&str], code: i32, text: &str) {
    assert_eq!(status.code(), Some(code), "{options:?}: {said}");
    assert!(said.contains(text), "{options:?} should say {text:?}: {said}");
}

#[test]
fn what_stands_in_the_way_is_told_with_a_code_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let formatted = directory.path().join("formatted");
    let mut daemon = Daemon::start(&formatted);
    let address = daemon.ready()[0].to_string();
    let other = directory.path().join("other");
    check_refusal(&other, &[], 38, "hexalogd format --data-dir");
    assert!(!other.exists(), "a start makes nothing");
    assert!(format(&other, &[]).0.success());
    check_refusal(&other, &["--listen", &address], 10, "cannot listen on 127.0.0.1");
    check_refusal(&formatted, &[], 11, "used by another daemon (process ");
    check_format_refusal(&formatted, &["--force"], 11, "used by another daemon (process ");
    daemon.signal("TERM");
    assert_eq!(daemon.wait().0.code(), Some(0));

    check_refusal(&formatted, &["--node", "2"], 30, "was formatted with --node 1, not 2");
    check_refusal(&formatted, &["--shards", "2"], 30, "--shards 1, not 2");
    check_refusal(&formatted, &["--log-bytes", "8MiB"], 30, "--log-bytes 4194304, not 8388608");
    check_refusal(&other, &["--listen", "0.0.0.0:0"], 13, "--insecure-no-auth");
    check_refusal(&other, &["--shards", "none"], 2, "--shards");
    let new = directory.path().join("new");
    check_format_refusal(&new, &["--device-bytes", "4MiB"], 2, "too small");
    check_format_refusal(&new, &["--log-bytes", "200TiB", "--device-bytes", "300TiB"], 34, "bytes free");
    check_format_refusal(&formatted, &[], 11, "is the device of node 1 already; --force");
    check_refusal(&other, &["--device", "/dev/null"], 2, "cannot be used with");
    check_refusal(Path::new("/dev/null"), &[], 2, "is not a block device");

    let foreign = directory.path().join("foreign");
    std::fs::create_dir(&foreign).unwrap();
    std::fs::write(foreign.join("precious"), "data").unwrap();
    check_refusal(&foreign, &[], 11, "holds precious");
    check_format_refusal(&foreign, &[], 11, "holds precious");
    let left: Vec<_> = std::fs::read_dir(&foreign).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["precious"], "nothing is written beside it");
    check_refusal(&foreign.join("precious"), &[], 11, "is not a directory");
    check_format_refusal(&foreign.join("precious"), &["--force"], 1, "precious");

    // A device whose geometry file was lost is not formatted over.
    std::fs::remove_file(formatted.join("hexalogd.json")).unwrap();
    check_refusal(&formatted, &[], 11, "holds shard-0");
    check_format_refusal(&formatted, &[], 11, "holds shard-0");
    std::fs::write(formatted.join("hexalogd.json"), "{}").unwrap();
    check_refusal(&formatted, &[], 30, "cannot be understood");
}

#[test]
fn a_device_that_cannot_be_read_is_told_and_a_shard_beside_it_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::start_with(directory.path(), &["--shards", "2"]);
    daemon.ready();
    daemon.kill();
    std::fs::write(directory.path().join("shard-0/superblock"), vec![0; 8192]).unwrap();
    let mut daemon = Daemon::start(directory.path());
    let line = daemon.wait_for(" ready on ");
    assert!(line.contains("but for shards that cannot go on: 1"), "{line}");
    daemon.signal("TERM");
    assert_eq!(daemon.wait().0.code(), Some(0));
    std::fs::write(directory.path().join("shard-1/superblock"), vec![0; 8192]).unwrap();
    check_refusal(directory.path(), &[], 35, "superblock");
}

/// Over what is there a device is made only if that was asked for by name; other files beside it stay.
#[test]
fn a_device_is_made_anew_by_force_alone() {
    let directory = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::start_with(directory.path(), &["--shards", "2"]);
    let mut writer = Writer::connect(daemon.ready()[0], 1);
    writer.create();
    drop(daemon);
    std::fs::write(directory.path().join("precious"), "data").unwrap();
    let copy = directory.path().join("shard-0.bak");
    std::fs::create_dir(&copy).unwrap();
    std::fs::write(copy.join("log"), "data").unwrap();
    let (status, said) = format(directory.path(), &["--force"]);
    assert!(status.success(), "{said}");
    let mut daemon = Daemon::start_as_it_is(directory.path(), &[]);
    assert!(Writer::connect(daemon.ready()[0], 1).status().is_none(), "nothing is left of it");
    assert!(!directory.path().join("shard-1").exists());
    assert_eq!(std::fs::read(directory.path().join("precious")).unwrap(), b"data");
    assert_eq!(std::fs::read(copy.join("log")).unwrap(), b"data");
}

#[test]
fn a_formatting_cut_off_half_way_is_begun_again() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("formatting"), "").unwrap();
    std::fs::create_dir(directory.path().join("shard-0")).unwrap();
    std::fs::write(directory.path().join("shard-0/log"), vec![0xff; 5000]).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), directory.path().join("shard-1")).unwrap();
    check_format_refusal(directory.path(), &["--shards", "2"], 1, "is a link");
    std::fs::remove_file(directory.path().join("shard-1")).unwrap();
    check_refusal(directory.path(), &[], 38, "was not formatted to its end");
    let mut daemon = Daemon::start(directory.path());
    let mut writer = Writer::connect(daemon.ready()[0], 1);
    writer.create();
    writer.append();
    assert!(writer.await_ack());
    assert!(!directory.path().join("formatting").exists());
}

/// An operator may think to put the log on another disk by a link. What it leads to stays as it is, and the log does not quietly
/// come to lie here.
#[test]
fn a_log_that_is_a_link_is_refused() {
    let elsewhere = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(elsewhere.path(), "precious").unwrap();
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("shard-0")).unwrap();
    let log = directory.path().join("shard-0/log");
    let link = |at: &Path| std::os::unix::fs::symlink(elsewhere.path(), at).unwrap();
    link(&log);
    check_format_refusal(directory.path(), &[], 11, "holds shard-0");
    check_format_refusal(directory.path(), &["--force"], 1, "shard-0/log is a link");
    std::fs::write(directory.path().join("formatting"), "").unwrap();
    check_format_refusal(directory.path(), &[], 1, "shard-0/log is a link");

    // Of a device that is there nothing has been lost when it is refused.
    let device = tempfile::tempdir().unwrap();
    assert!(format(device.path(), &["--shards", "2"]).0.success());
    let extents = device.path().join("shard-1/extents");
    std::fs::remove_file(&extents).unwrap();
    link(&extents);
    check_format_refusal(device.path(), &["--force"], 1, "shard-1/extents is a link");
    assert!(device.path().join("hexalogd.json").exists() && device.path().join("shard-0/log").exists());

    let empty = tempfile::tempdir().unwrap();
    link(&empty.path().join("formatting.new"));
    link(&empty.path().join("direct-io-probe"));
    assert!(format(empty.path(), &[]).0.success());
    assert_eq!(std::fs::read(elsewhere.path()).unwrap(), b"precious");
    assert!(std::fs::symlink_metadata(&log).unwrap().is_symlink());
}

/// The process id was written to where a link named `lock` leads, a probe truncated its target, and a geometry that an operator keeps
/// elsewhere was replaced by a file here, without a word.
#[test]
fn links_beside_the_shards_are_not_followed() {
    let elsewhere = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(elsewhere.path(), "precious").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let place = |name: &str| directory.path().join(name);
    let link = |name: &str| std::os::unix::fs::symlink(elsewhere.path(), place(name)).unwrap();
    link("lock");
    check_format_refusal(directory.path(), &[], 1, "lock is a link");
    std::fs::remove_file(place("lock")).unwrap();
    assert!(format(directory.path(), &[]).0.success());

    link("direct-io-probe");
    let mut daemon = Daemon::start_as_it_is(directory.path(), &[]);
    daemon.ready();
    drop(daemon);
    std::fs::remove_file(place("lock")).unwrap();
    link("lock");
    check_refusal(directory.path(), &[], 1, "lock is a link");
    std::fs::remove_file(place("lock")).unwrap();

    std::fs::remove_file(place("hexalogd.json")).unwrap();
    link("hexalogd.json");
    check_format_refusal(directory.path(), &["--force"], 1, "hexalogd.json is a link");
    assert!(std::fs::symlink_metadata(place("hexalogd.json")).unwrap().is_symlink());
    assert!(place("shard-0/log").exists());
    assert_eq!(std::fs::read(elsewhere.path()).unwrap(), b"precious");
}

/// Which of the kernel's features a daemon uses cannot be seen from outside otherwise.
#[test]
fn what_is_used_of_the_kernel_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::start(directory.path());
    let line = daemon.wait_for("a shard thread's ring: ");
    assert!(line.contains("accept") && line.contains("receive") && line.contains("send"), "{line}");
}

/// A device for which there is no space leaves nothing that a start would take for half of one.
#[test]
fn without_space_nothing_is_left() {
    let directory = tempfile::tempdir().unwrap();
    let large = ["--log-bytes", "200TiB", "--device-bytes", "300TiB"];
    check_format_refusal(directory.path(), &large, 34, "bytes free");
    check_refusal(directory.path(), &[], 38, "hexalogd format");
    let left: Vec<_> =
        std::fs::read_dir(directory.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(left, ["lock"]);
}

#[test]
fn a_missing_permission_is_told() {
    let directory = Path::new("/hexalogd-test-without-permission");
    let mut refused = Command::new(HEXALOGD);
    refused.args(["format", "--node", "1", "--data-dir"]).arg(directory);
    if std::fs::create_dir(directory).is_ok() {
        // We are root: become nobody, who may not make it.
        std::fs::remove_dir(directory).unwrap();
        refused.uid(65534).gid(65534);
    }
    match Daemon::spawn(&mut refused) {
        Ok(daemon) => {
            let (status, said) = daemon.wait();
            assert_eq!(status.code(), Some(12), "{said}");
            assert!(said.contains("Permission denied"), "{said}");
        }
        Err(error) => eprintln!("skipped: the binary cannot be run as another user: {error}"),
    }
}

/// A file system mounted for a test.
struct Mount(tempfile::TempDir);

impl Mount {
    fn new(kind: &str) -> Option<Mount> {
        let directory = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount").args(["-t", kind, kind]).arg(directory.path()).output();
        match mounted {
            Ok(output) if output.status.success() => Some(Mount(directory)),
            _ => {
                eprintln!("skipped: {kind} cannot be mounted without more rights");
                None
            }
        }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn ramfs_has_no_direct_io_and_runs_buffered() {
    let Some(mount) = Mount::new("ramfs") else { return };
    let directory = mount.0.path().join("data");
    check_format_refusal(&directory, &[], 31, "--buffered");
    let mut daemon = Daemon::start_with(&directory, &["--buffered"]);
    daemon.wait_for("warning");
    let mut writer = Writer::connect(daemon.ready()[0], 1);
    writer.create();
    writer.append();
    assert!(writer.await_ack());
    daemon.signal("TERM");
    assert_eq!(daemon.wait().0.code(), Some(0));
}

#[test]
fn tmpfs_is_warned_of_by_name() {
    let Some(mount) = Mount::new("tmpfs") else { return };
    let mut daemon = Daemon::start(&mount.0.path().join("data"));
    assert!(daemon.wait_for("warning").contains("tmpfs"));
    daemon.ready();
    daemon.signal("TERM");
    assert_eq!(daemon.wait().0.code(), Some(0));
}

#[test]
fn without_descriptors_the_connections_that_stand_are_served() {
    let directory = tempfile::tempdir().unwrap();
    assert!(format(directory.path(), &[]).0.success());
    let run = command(directory.path(), &[]);
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -n 48; exec \"$0\" \"$@\""]).arg(run.get_program()).args(run.get_args());
    let mut daemon = Daemon::spawn(&mut limited).unwrap();
    let address = daemon.ready()[0];
    let mut writer = Writer::connect(address, 1);
    writer.create();
    let crowd: Vec<_> = (0..60).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
    daemon.wait_for("cannot be accepted");
    writer.append();
    assert!(writer.await_ack());
    drop(crowd);
    let mut late = Writer::connect(address, 1);
    assert_eq!(late.status().expect("the segment is there").scl.0, 1);
}

#[test]
fn it_dies_with_its_parent_if_asked_to() {
    let directory = tempfile::tempdir().unwrap();
    assert!(format(directory.path(), &[]).0.success());
    let run = command(directory.path(), &["--die-with-parent"]);
    let mut parent = Command::new("sh");
    parent.args(["-c", "\"$0\" \"$@\" & wait"]).arg(run.get_program()).args(run.get_args());
    let mut parent = Daemon::spawn(&mut parent).unwrap();
    parent.ready();
    parent.signal("KILL");
    parent.wait_until_silent();
}

#[test]
fn a_stop_under_load_ends_in_time_and_keeps_what_was_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::start(directory.path());
    let mut writer = Writer::connect(daemon.ready()[0], 5);
    writer.create();
    (0..64).for_each(|_| writer.append());
    assert!(writer.await_ack());
    daemon.signal("TERM");
    let (status, said) = daemon.wait();
    assert_eq!(status.code(), Some(0), "{said}");
    while writer.await_ack() {}
    let mut daemon = Daemon::start(directory.path());
    let mut reader = Writer::connect(daemon.ready()[0], 5);
    assert!(reader.status().expect("the segment is there").scl >= writer.acknowledged);
}
