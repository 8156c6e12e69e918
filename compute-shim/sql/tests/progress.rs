//! What other sessions see of long statements.

mod harness;

use harness::{Cluster, Progress, Silent};
use hexalog_sql::{Completion, QueryProgress};

const OF_INDEX: &str = "SELECT relid::regclass, index_relid::regclass, command, phase, lockers_total, lockers_done, \
                        current_locker_pid, tuples_done FROM pg_stat_progress_create_index";
const OF_COPY: &str = "SELECT relid::regclass, command, type, bytes_processed, tuples_processed, tuples_excluded \
                       FROM pg_stat_progress_copy";

#[test]
fn an_index_that_waits_for_writers_says_so() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    client.query("CREATE TABLE t (a int PRIMARY KEY, b int)");
    client.query("INSERT INTO t SELECT i, i FROM generate_series(1, 600) i");
    let mut writer = cluster.connect();
    writer.query("BEGIN; INSERT INTO t VALUES (0, 0)");
    let mut builder = cluster.connect();
    let mut building = builder.start("CREATE INDEX CONCURRENTLY t_i ON t (b)");
    assert!(matches!(builder.go_on(&mut building), Progress::Waits));
    let waiting = "t|t_i|CREATE INDEX CONCURRENTLY|waiting for writers before build|1|0|43|0";
    assert_eq!(client.lines(OF_INDEX), [waiting]);
    // Of the rows that it holds while it waits for one, none has been counted; those of the batch before have.
    client.query("BEGIN; UPDATE t SET b = -1 WHERE a = 550");
    writer.query("COMMIT");
    assert!(matches!(builder.go_on(&mut building), Progress::Waits));
    let building_on = "t|t_i|CREATE INDEX CONCURRENTLY|building index: scanning table|0|0|0|550";
    assert_eq!(client.lines(OF_INDEX), [building_on]);
    client.query("COMMIT");
    assert!(matches!(builder.go_on(&mut building), Progress::Done(Ok(_))));
    assert_eq!(client.lines(OF_INDEX), [""; 0]);
    // One that fails, or is given up, is gone as well.
    client.error("CREATE UNIQUE INDEX ON t ((b * 0))");
    assert_eq!(client.lines(OF_INDEX), [""; 0]);
}

/// The page on the system's catalogs sent users there for whom REINDEX CONCURRENTLY waits for, and nothing was to be seen.
#[test]
fn an_index_that_is_built_anew_says_whom_it_waits_for() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    client.query("CREATE TABLE t (a int PRIMARY KEY, b int); CREATE INDEX t_i ON t (b)");
    client.query("INSERT INTO t SELECT i, i FROM generate_series(1, 600) i");
    let (mut writer, mut reader) = (cluster.connect(), cluster.connect());
    writer.query("BEGIN; INSERT INTO t VALUES (0, 0)");
    reader.query("BEGIN; SELECT FROM t");
    let mut builder = cluster.connect();
    let mut building = builder.start("REINDEX INDEX CONCURRENTLY t_i");
    assert!(matches!(builder.go_on(&mut building), Progress::Waits));
    let waiting = "t|t_i_ccnew|REINDEX CONCURRENTLY|waiting for writers before build|1|0|43|0";
    assert_eq!(client.lines(OF_INDEX), [waiting]);
    writer.query("COMMIT");
    assert!(matches!(builder.go_on(&mut building), Progress::Waits));
    let waiting = "t|t_i_ccnew|REINDEX CONCURRENTLY|waiting for readers before marking dead|1|0|44|601";
    assert_eq!(client.lines(OF_INDEX), [waiting]);
    writer.query("BEGIN; INSERT INTO t VALUES (-1, -1)");
    reader.query("COMMIT");
    assert!(matches!(builder.go_on(&mut building), Progress::Waits));
    let waiting = "t|t_i_ccnew|REINDEX CONCURRENTLY|waiting for readers before dropping|1|0|43|601";
    assert_eq!(client.lines(OF_INDEX), [waiting]);
    writer.query("COMMIT");
    assert!(matches!(builder.go_on(&mut building), Progress::Done(Ok(_))));
    assert_eq!(client.lines(OF_INDEX), [""; 0]);
}

#[test]
fn rows_and_bytes_of_copy_are_counted() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    client.query("CREATE TABLE t (a int PRIMARY KEY)");
    let mut copier = cluster.connect();
    copier.session.query_start("COPY t FROM STDIN WHERE a < 10").expect("parses");
    let begun = cluster.run(|| copier.session.query_step(&mut Silent)).expect("begins");
    assert!(matches!(begun, QueryProgress::Statement(Completion::CopyIn(_))));
    assert_eq!(client.lines(OF_COPY), ["t|COPY FROM|PIPE|0|0|0"]);
    cluster.run(|| copier.session.copy_data(b"1\n2\n30\n4")).expect("takes it");
    assert_eq!(client.lines(OF_COPY), ["t|COPY FROM|PIPE|8|2|1"]);
    cluster.run(|| copier.session.copy_done()).expect("ends");
    copier.make_durable();
    assert_eq!(client.lines(OF_COPY), [""; 0]);
    assert_eq!(client.lines("SELECT a FROM t ORDER BY a"), ["1", "2", "4"]);
}
