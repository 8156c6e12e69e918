//! What every metadata backend must do, races between threads and processes included. A new backend adds its
//! constructor to `backends` and nothing else.

use hexalog_cluster::metadata::{MetadataError, VALUE_BYTES_MAX};
use hexalog_cluster::{Metadata, Revision, SqliteMetadata};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

type Open = fn(&Path) -> Arc<dyn Metadata>;

fn backends() -> Vec<(&'static str, Open)> {
    vec![("sqlite", |dir| {
        Arc::new(SqliteMetadata::open_or_create(&dir.join("metadata.sqlite")).expect("opens"))
    })]
}

fn each_backend(test: impl Fn(&Path, Open)) {
    for (name, open) in backends() {
        eprintln!("backend {name}");
        let dir = tempfile::tempdir().expect("temporary directory");
        test(dir.path(), open);
    }
}

#[test]
fn create_get_list_and_swap() {
    each_backend(|dir, open| {
        let store = open(dir);
        assert_eq!(store.get("a").expect("get"), None);
        assert_eq!(store.compare_and_swap("a", Revision(1), b"x").expect("cas"), None);
        assert_eq!(store.create("a", b"1").expect("create"), Some(Revision(1)));
        assert_eq!(store.create("a", b"2").expect("create"), None);
        let entry = store.get("a").expect("get").expect("present");
        assert_eq!((entry.value.as_slice(), entry.revision), (&b"1"[..], Revision(1)));
        assert_eq!(store.compare_and_swap("a", Revision(1), b"3").expect("cas"), Some(Revision(2)));
        assert_eq!(store.compare_and_swap("a", Revision(1), b"4").expect("cas"), None);
        // Back to the first value: still another revision.
        assert_eq!(store.compare_and_swap("a", Revision(2), b"1").expect("cas"), Some(Revision(3)));
        assert_eq!(store.compare_and_swap("a", Revision(1), b"5").expect("cas"), None);
        for key in ["p/2", "p/1", "p", "q/1", "p%/x"] {
            store.create(key, key.as_bytes()).expect("create");
        }
        let listed = |prefix: &str| -> Vec<String> {
            store.list(prefix).expect("list").into_iter().map(|entry| entry.key).collect()
        };
        assert_eq!(listed("p/"), ["p/1", "p/2"]);
        assert_eq!(listed("p%"), ["p%/x"]);
        assert_eq!(listed("zz"), Vec::<String>::new());
        assert_eq!(listed("").len(), 6);
    });
}

#[test]
fn too_large_is_refused_and_the_largest_is_kept() {
    each_backend(|dir, open| {
        let store = open(dir);
        let large = vec![7; VALUE_BYTES_MAX + 1];
        assert!(matches!(store.create("k", &large), Err(MetadataError::TooLarge(_))));
        assert!(matches!(store.create("", b""), Err(MetadataError::TooLarge(_))));
        assert!(store.create("k", &large[..VALUE_BYTES_MAX]).expect("create").is_some());
        assert_eq!(store.get("k").expect("get").expect("present").value.len(), VALUE_BYTES_MAX);
    });
}

#[test]
fn values_are_there_after_reopening() {
    each_backend(|dir, open| {
        open(dir).create("k", b"v").expect("create");
        assert_eq!(open(dir).get("k").expect("get").expect("present").value, b"v");
    });
}

/// Adds `times` to the decimal counter at `counter`, one compare-and-swap each.
fn count_up(store: &dyn Metadata, times: u32) {
    let mut done = 0;
    while done < times {
        let entry = store.get("counter").expect("get").expect("present");
        let value: u64 = String::from_utf8(entry.value).expect("text").parse().expect("number");
        let next = (value + 1).to_string();
        let swapped = store.compare_and_swap("counter", entry.revision, next.as_bytes()).expect("cas");
        done += u32::from(swapped.is_some());
    }
}

fn counter(store: &dyn Metadata) -> String {
    String::from_utf8(store.get("counter").expect("get").expect("present").value).expect("text")
}

#[test]
fn threads_lose_no_update_and_one_creates() {
    each_backend(|dir, open| {
        let store = open(dir);
        store.create("counter", b"0").expect("create");
        let created: usize = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        // A store of its own for each thread: as separate as processes are.
                        let store = open(dir);
                        let created = store.create("once", b"me").expect("create").is_some();
                        count_up(store.as_ref(), 50);
                        usize::from(created)
                    })
                })
                .collect();
            workers.into_iter().map(|worker| worker.join().expect("worker")).sum()
        });
        assert_eq!(created, 1);
        assert_eq!(counter(store.as_ref()), "200");
        let entry = store.get("counter").expect("get").expect("present");
        assert_eq!(entry.revision, Revision(201));
    });
}

/// Not a test of its own: the child side of `processes_lose_no_update`.
#[test]
fn process_worker() {
    let Ok(dir) = std::env::var("HEXALOG_CONFORMANCE_DIR") else { return };
    let backend = std::env::var("HEXALOG_CONFORMANCE_BACKEND").expect("set with the directory");
    let (_, open) = backends().into_iter().find(|(name, _)| *name == backend).expect("known backend");
    let store = open(Path::new(&dir));
    store.create("counter", b"0").expect("create");
    count_up(store.as_ref(), 40);
}

#[test]
fn processes_lose_no_update() {
    for (name, open) in backends() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let program = std::env::current_exe().expect("own path");
        // All four meet at a file that does not exist yet: making it is part of the race.
        let children: Vec<_> = (0..4)
            .map(|_| {
                Command::new(&program)
                    .args(["--exact", "process_worker"])
                    .env("HEXALOG_CONFORMANCE_DIR", dir.path())
                    .env("HEXALOG_CONFORMANCE_BACKEND", name)
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped())
                    .spawn()
                    .expect("starts")
            })
            .collect();
        for child in children {
            let output = child.wait_with_output().expect("runs");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        }
        assert_eq!(counter(open(dir.path()).as_ref()), "160");
    }
}
