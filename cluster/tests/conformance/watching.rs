//! Watches: every change is told, or that some were not.

use crate::backends::each_backend;
use hexalog_cluster::Revision;
use hexalog_cluster::metadata::{Event, Watch};
use std::time::{Duration, Instant};

/// A watch that tells nothing for so long has missed it.
const TOLD_MAX: Duration = Duration::from_secs(20);

/// Events until one of them is what is waited for, in order.
fn events_until(watch: &mut dyn Watch, is_it: impl Fn(&Event) -> bool) -> Vec<Event> {
    let deadline = Instant::now() + TOLD_MAX;
    let mut all = Vec::new();
    while !all.iter().any(&is_it) {
        assert!(Instant::now() < deadline, "not told: {all:?}");
        // A store that is gone for a moment says so; the watch goes on.
        all.extend(watch.next(Duration::from_millis(500)).unwrap_or_default());
    }
    all
}

fn is_put(event: &Event, wanted: &str, value: &[u8]) -> bool {
    matches!(event, Event::Put { entry, .. } if entry.key == wanted && entry.value == value)
}

fn is_removed(event: &Event, wanted: &str) -> bool {
    matches!(event, Event::Removed { key, .. } if key == wanted)
}

#[test]
fn changes_below_the_prefix_are_told() {
    each_backend(|backend| {
        let (store, other) = (backend.open(), backend.open());
        let before = other.create("w/before", b"0").expect("create").expect("absent");
        let mut watch = store.watch("w/").expect("watch");
        assert_eq!(watch.next(Duration::ZERO).expect("looks"), [], "what was there is not told");
        let first = other.create("w/a", b"1").expect("create").expect("absent");
        other.create("x/a", b"not watched").expect("create");
        let events = events_until(&mut *watch, |event| is_put(event, "w/a", b"1"));
        assert_eq!(events.len(), 1, "{events:?}");
        // By the same client as well.
        let second = store.compare_and_swap("w/a", first, b"2").expect("cas").expect("unchanged");
        let events = events_until(&mut *watch, |event| is_put(event, "w/a", b"2"));
        let told = Event::Put {
            entry: hexalog_cluster::Entry { key: "w/a".into(), revision: second, value: b"2".into() },
            skipped: false,
        };
        assert_eq!(events, [told], "one change, and none was skipped");
        assert!(other.remove("w/before", before).expect("remove"));
        let events = events_until(&mut *watch, |event| is_removed(event, "w/before"));
        assert_eq!(events.len(), 1, "{events:?}");
    });
}

#[test]
fn a_quiet_watch_returns_when_its_time_is_over() {
    each_backend(|backend| {
        let store = backend.open();
        let mut watch = store.watch("w/").expect("watch");
        let started = Instant::now();
        assert_eq!(watch.next(Duration::from_millis(300)).expect("waits"), []);
        let took = started.elapsed();
        assert!(took >= Duration::from_millis(300) && took < Duration::from_secs(5), "{took:?}");
    });
}

/// A watcher that does not look for a while, and one that looks all the time: both know each key's end, and what
/// they were not told they know to be missing.
#[test]
fn what_is_not_told_is_said_to_be_skipped() {
    const CHANGES: u64 = 300;
    each_backend(|backend| {
        let store = backend.open();
        let revision = store.create("w/k", b"0").expect("create").expect("absent");
        let mut slow = store.watch("w/").expect("watch");
        let mut eager = store.watch("w/").expect("watch");
        let last = CHANGES.to_string();
        let eager_events = std::thread::scope(|scope| {
            let eager =
                scope.spawn(|| events_until(&mut *eager, |event| is_put(event, "w/k", last.as_bytes())));
            let mut revision = revision;
            for change in 1..=CHANGES {
                let value = change.to_string();
                revision =
                    store.compare_and_swap("w/k", revision, value.as_bytes()).expect("cas").expect("alone");
            }
            eager.join().expect("the watcher")
        });
        let slow_events = events_until(&mut *slow, |event| is_put(event, "w/k", last.as_bytes()));
        for events in [eager_events, slow_events] {
            let (mut value_before, mut revision_before) = (0, revision);
            for event in &events {
                let Event::Put { entry, skipped } = event else { panic!("{event:?}") };
                let value: u64 = String::from_utf8_lossy(&entry.value).parse().expect("a number");
                assert!(entry.revision > revision_before, "{events:?}");
                assert_eq!(*skipped, value != value_before + 1, "{value_before} then {event:?}");
                (value_before, revision_before) = (value, entry.revision);
            }
            assert_eq!(value_before, CHANGES);
        }
    });
}

#[test]
fn a_key_that_comes_and_goes_ends_as_it_ends() {
    each_backend(|backend| {
        let store = backend.open();
        let mut watch = store.watch("w/").expect("watch");
        for round in 0..5 {
            let revision = store.create("w/k", b"there").expect("create").expect("absent");
            assert!(store.remove("w/k", revision).expect("remove"), "{round}");
        }
        store.create("w/end", b"").expect("create").expect("absent");
        let events = events_until(&mut *watch, |event| is_put(event, "w/end", b""));
        let of_key = events.iter().rfind(|event| is_removed(event, "w/k") || is_put(event, "w/k", b"there"));
        assert!(of_key.is_none_or(|event| is_removed(event, "w/k")), "{events:?}");
    });
}

/// The watcher's server is killed and comes back; what changed meanwhile, and later, is told.
#[test]
fn a_watch_outlives_a_restart() {
    each_backend(|backend| {
        let store = backend.open();
        let mut watch = store.watch("w/").expect("watch");
        let revision = store.create("w/a", b"1").expect("create").expect("absent");
        events_until(&mut *watch, |event| is_put(event, "w/a", b"1"));
        if let Some(server) = &mut backend.server {
            server.kill();
            server.start();
        }
        let other = backend.open();
        let second: Revision =
            other.compare_and_swap("w/a", revision, b"2").expect("cas").expect("unchanged");
        events_until(&mut *watch, |event| is_put(event, "w/a", b"2"));
        other.compare_and_swap("w/a", second, b"3").expect("cas").expect("unchanged");
        events_until(&mut *watch, |event| is_put(event, "w/a", b"3"));
    });
}
