//! Several clients at once, threads and processes: no update is lost, and exactly one wins.

use crate::backends::{each_backend, open};
use hexalog_cluster::{Metadata, Revision};
use std::process::{Command, Stdio};
use std::sync::Barrier;

const THREADS: usize = 8;
const ROUNDS: usize = 12;

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

/// Each round all threads do the same to one key at the same time; how many won each.
fn winners(location: &str, act: impl Fn(&dyn Metadata, usize, usize) -> bool + Sync) -> Vec<usize> {
    let barrier = Barrier::new(THREADS);
    let run = |thread: usize| {
        let store = open(location);
        let round = |round| {
            barrier.wait();
            act(&*store, round, thread)
        };
        (0..ROUNDS).map(round).collect::<Vec<bool>>()
    };
    let run = &run;
    let won: Vec<Vec<bool>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(move || run(thread))).collect();
        threads.into_iter().map(|thread| thread.join().expect("a thread")).collect()
    });
    (0..ROUNDS).map(|round| won.iter().filter(|of_thread| of_thread[round]).count()).collect()
}

#[test]
fn exactly_one_creates_swaps_and_removes() {
    each_backend(|backend| {
        let store = backend.open();
        let key = |round: usize| format!("key/{round}");
        let created = winners(&backend.location, |store, round, thread| {
            let value = thread.to_string();
            store.create(&key(round), value.as_bytes()).expect("create").is_some()
        });
        assert_eq!(created, [1; ROUNDS]);
        let revisions: Vec<Revision> =
            (0..ROUNDS).map(|round| store.get(&key(round)).expect("get").expect("made").revision).collect();
        let swapped = winners(&backend.location, |store, round, thread| {
            let value = format!("swapped by {thread}");
            let swapped = store.compare_and_swap(&key(round), revisions[round], value.as_bytes());
            let Some(revision) = swapped.expect("cas") else { return false };
            // Nobody else's is there, and nobody else's will be.
            let found = store.get(&key(round)).expect("get").expect("there");
            assert_eq!((found.revision, found.value.as_slice()), (revision, value.as_bytes()));
            true
        });
        assert_eq!(swapped, [1; ROUNDS]);
        let revisions: Vec<Revision> =
            (0..ROUNDS).map(|round| store.get(&key(round)).expect("get").expect("made").revision).collect();
        let removed = winners(&backend.location, |store, round, _| {
            store.remove(&key(round), revisions[round]).expect("remove")
        });
        assert_eq!(removed, [1; ROUNDS]);
        assert_eq!(store.list("key/").expect("list"), []);
    });
}

#[test]
fn threads_lose_no_update() {
    each_backend(|backend| {
        let store = backend.open();
        store.create("counter", b"0").expect("create").expect("absent");
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| count_up(&*open(&backend.location), 50));
            }
        });
        assert_eq!(counter(&*store), "200");
    });
}

/// One client that many threads share.
#[test]
fn threads_of_one_client_lose_no_update() {
    each_backend(|backend| {
        let store = backend.open();
        store.create("counter", b"0").expect("create").expect("absent");
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| count_up(&*store, 10));
            }
        });
        assert_eq!(counter(&*store), "80");
    });
}

/// Not a test of its own: the child side of `processes_lose_no_update`.
#[test]
fn process_worker() {
    let Ok(location) = std::env::var("HEXALOG_CONFORMANCE_LOCATION") else { return };
    let store = open(&location);
    store.create("counter", b"0").expect("create");
    count_up(&*store, 40);
}

#[test]
fn processes_lose_no_update() {
    each_backend(|backend| {
        let program = std::env::current_exe().expect("own path");
        // All four meet at a store that is not there yet: making it is part of the race.
        let start = |_| {
            let mut command = Command::new(&program);
            command.args(["--exact", "races::process_worker"]);
            command.env("HEXALOG_CONFORMANCE_LOCATION", &backend.location);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts")
        };
        let children: Vec<_> = (0..4).map(start).collect();
        for child in children {
            let output = child.wait_with_output().expect("runs");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        }
        assert_eq!(counter(&*backend.open()), "160");
    });
}
