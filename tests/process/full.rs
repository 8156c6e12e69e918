//! A whole cluster on a file system that others fill. Needs root for a loop device; says so and passes without.
#![allow(clippy::disallowed_methods)] // Files and sleeps are what a test of processes is made of.

mod harness;
#[path = "../../storage-daemon/daemon/tests/harness/small_disk.rs"]
mod small_disk;

use harness::process::wait_until;
use harness::{COMMAND_MAX, Cluster};
use small_disk::SmallDisk;

/// Six new devices take 156 MiB of it.
const DISK_BYTES: u64 = 400 << 20;
/// Rows of one INSERT; twenty of them are some 8 MB, what six such devices have room for.
const ROWS: usize = 1_000;

fn insert(cluster: &Cluster, step: usize) -> Result<String, String> {
    let first = step * ROWS;
    let rows = format!("generate_series({first}, {})", first + ROWS - 1);
    cluster.psql(&format!("insert into t select id, repeat('x', 400) from {rows} id"))
}

/// All six share the disk, so all are full at once. Rows are refused with the error for it, nothing that was told is lost, reads
/// and DELETE go on, a daemon that dies comes back, and with space rows are taken again without anyone's doing.
#[test]
fn a_full_disk_refuses_rows_and_nothing_else() {
    let Some(disk) = SmallDisk::mount(DISK_BYTES) else { return };
    let options = ["--log-bytes", "8MiB", "--device-bytes", "512MiB"];
    let mut cluster = Cluster::start_in(&disk.path().join("data"), &options);
    cluster.sql("create table t (id int primary key, value text)");
    disk.fill();
    let mut steps = 0;
    let error = loop {
        match insert(&cluster, steps) {
            Ok(_) => steps += 1,
            Err(error) => break error,
        }
        assert!(steps < 200, "rows are never refused");
    };
    assert!(error.contains("53100"), "{error}");
    let count = (steps * ROWS).to_string();
    assert_eq!(cluster.sql("select count(*) from t where value like 'x%'"), count, "reads go on");
    wait_until(COMMAND_MAX, "status to say so", || {
        cluster.problems().iter().any(|problem| problem.ends_with("is full"))
    });
    cluster.sql("delete from t where id = 0");
    let arguments = cluster.arguments_of("node-2");
    cluster.kill("node-2");
    cluster.start_by_hand("node-2", &arguments);
    cluster.wait_until_caught_up();
    disk.free();
    wait_until(COMMAND_MAX, "rows to be taken again", || insert(&cluster, steps).is_ok());
    assert_eq!(cluster.sql("select count(*) from t"), ((steps + 1) * ROWS - 1).to_string());
    cluster.wait_until_well();
    cluster.kill_by_hand("node-2");
    cluster.stop();
}
