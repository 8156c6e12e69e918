//! What goes wrong between a client and a server: lost requests, lost answers, a server that restarts, one that is gone.

use crate::backends::{Backend, each_backend, open};
use crate::proxy::{Cut, Proxy};
use hexalog_cluster::metadata::{CALL_MAX, Page, Watch};
use hexalog_cluster::{Catalog, Entry, Metadata, MetadataError, Revision, VolumeRecord, settle};
use hexalog_protocol::{GeometryEpoch, Incarnation, VolumeEpoch, VolumeId};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How much longer than its limit a call may take on a busy machine.
const LATE_MAX: Duration = Duration::from_secs(3);

/// A client whose connections can be cut. `None`: a file has no connections.
fn through_a_proxy(backend: &Backend) -> Option<(Proxy, Arc<dyn Metadata>)> {
    let server = backend.server.as_ref()?;
    let proxy = Proxy::start(server.address());
    let store = open(&server.location_at(proxy.address));
    // Its connection stands before anything is cut.
    store.create("warm", b"up").expect("through the proxy");
    Some((proxy, store))
}

fn value(store: &dyn Metadata, key: &str) -> Option<Vec<u8>> {
    store.get(key).expect("get").map(|entry| entry.value)
}

#[test]
fn a_lost_answer_is_not_taken_for_one() {
    each_backend(|backend| {
        let Some((proxy, store)) = through_a_proxy(backend) else { return };
        let direct = backend.open();
        proxy.set(Cut::BeforeAnswer);
        let outcome = store.create("k", b"1");
        assert!(proxy.has_cut());
        assert!(matches!(outcome, Err(MetadataError::OutcomeUnknown(_))), "{outcome:?}");
        assert_eq!(value(&*direct, "k"), Some(b"1".to_vec()), "it was made");
        let before = direct.get("k").expect("get").expect("there").revision;
        proxy.set(Cut::BeforeAnswer);
        let outcome = store.compare_and_swap("k", before, b"2");
        assert!(matches!(outcome, Err(MetadataError::OutcomeUnknown(_))), "{outcome:?}");
        assert_eq!(value(&*direct, "k"), Some(b"2".to_vec()));
        let before = direct.get("k").expect("get").expect("there").revision;
        proxy.set(Cut::BeforeAnswer);
        let outcome = store.remove("k", before);
        assert!(matches!(outcome, Err(MetadataError::OutcomeUnknown(_))), "{outcome:?}");
        assert_eq!(value(&*direct, "k"), None);
        assert_eq!(store.create("k", b"3").map(|made| made.is_some()), Ok(true), "the client goes on");
    });
}

#[test]
fn a_lost_request_changes_nothing() {
    each_backend(|backend| {
        let Some((proxy, store)) = through_a_proxy(backend) else { return };
        let direct = backend.open();
        proxy.set(Cut::BeforeRequest);
        // It may be sent again by whoever knows that it did not arrive; else its outcome is unknown to the client.
        match store.create("k", b"1") {
            Ok(Some(_)) => assert_eq!(value(&*direct, "k"), Some(b"1".to_vec())),
            Err(MetadataError::OutcomeUnknown(_) | MetadataError::Unavailable(_)) => {
                assert_eq!(value(&*direct, "k"), None);
            }
            other => panic!("{other:?}"),
        }
        assert!(proxy.has_cut());
        // A read is simply asked again.
        proxy.set(Cut::BeforeRequest);
        assert_eq!(value(&*store, "warm"), Some(b"up".to_vec()));
        proxy.set(Cut::BeforeAnswer);
        assert_eq!(value(&*store, "warm"), Some(b"up".to_vec()));
    });
}

#[test]
fn what_was_cut_is_found_out_by_reading_back() {
    each_backend(|backend| {
        let Some((proxy, store)) = through_a_proxy(backend) else { return };
        let direct = backend.open();
        let mut round = 0_u32;
        for cut in [Cut::BeforeRequest, Cut::BeforeAnswer, Cut::BeforeRequest, Cut::BeforeAnswer] {
            round += 1;
            let key = format!("k/{round}");
            proxy.set(cut);
            let made = settle::create(&*store, &key, b"ours").expect("found out").expect("nobody else");
            assert!(proxy.has_cut(), "{cut:?}");
            proxy.set(cut);
            let swapped = settle::compare_and_swap(&*store, &key, made, b"ours too");
            let swapped = swapped.expect("found out").expect("nobody else");
            let found = direct.get(&key).expect("get").expect("there");
            assert_eq!((found.revision, found.value), (swapped, b"ours too".to_vec()), "{cut:?}");
            // Another was first: then it is "no", and not ours.
            let theirs = direct.compare_and_swap(&key, swapped, b"theirs").expect("cas").expect("alone");
            proxy.set(cut);
            assert_eq!(settle::compare_and_swap(&*store, &key, swapped, b"ours again"), Ok(None), "{cut:?}");
            assert_eq!(direct.get(&key).expect("get").expect("there").revision, theirs);
        }
    });
}

/// Many writers whose connection is cut again and again. Each names what is to be, its own count, so it knows its write
/// again whatever came after it.
#[test]
fn no_update_is_lost_or_made_twice_over_cuts() {
    const THREADS: usize = 3;
    const TIMES: u64 = 10;
    each_backend(|backend| {
        let Some((proxy, store)) = through_a_proxy(backend) else { return };
        store.create("counts", b"[0,0,0]").expect("create").expect("absent");
        let count_up = |thread: usize| {
            for time in 1..=TIMES {
                if thread == 0 {
                    proxy.set(if time % 2 == 0 { Cut::BeforeAnswer } else { Cut::BeforeRequest });
                }
                loop {
                    let entry = store.get("counts").expect("get").expect("there");
                    let mut counts: Vec<u64> = serde_json::from_slice(&entry.value).expect("numbers");
                    if counts[thread] == time {
                        break;
                    }
                    assert_eq!(counts[thread], time - 1, "thread {thread} in {counts:?}");
                    counts[thread] = time;
                    let value = serde_json::to_vec(&counts).expect("JSON");
                    let swapped = settle::compare_and_swap(&*store, "counts", entry.revision, &value);
                    if swapped.expect("found out").is_some() {
                        break;
                    }
                }
            }
        };
        let count_up = &count_up;
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                scope.spawn(move || count_up(thread));
            }
        });
        assert_eq!(value(&*store, "counts"), Some(b"[10,10,10]".to_vec()));
    });
}

#[test]
fn a_client_outlives_a_restart_of_its_server() {
    each_backend(|backend| {
        let store = backend.open();
        let Some(server) = &mut backend.server else { return };
        let revision = store.create("k", b"1").expect("create").expect("absent");
        server.kill();
        let outcome = store.compare_and_swap("k", revision, b"2");
        let is_told =
            matches!(outcome, Err(MetadataError::Unavailable(_) | MetadataError::OutcomeUnknown(_)));
        assert!(is_told, "{outcome:?}");
        server.start();
        let swapped = settle::compare_and_swap(&*store, "k", revision, b"2").expect("it is back");
        assert_eq!(value(&*store, "k"), Some(b"2".to_vec()));
        assert!(swapped.is_some());
    });
}

/// Not there at all, and there without a word: each call ends in its time and names the server.
#[test]
fn a_server_that_is_gone_is_named_in_time() {
    each_backend(|backend| {
        let Some((proxy, store)) = through_a_proxy(backend) else { return };
        let revision = store.create("k", b"1").expect("create").expect("absent");
        let check = |store: &dyn Metadata, address: &str| {
            let started = Instant::now();
            type Call<'a> = Box<dyn Fn() -> Result<(), MetadataError> + Send + Sync + 'a>;
            let calls: [(&str, Call<'_>); 5] = [
                ("get", Box::new(|| store.get("k").map(drop))),
                ("list", Box::new(|| store.list("k").map(drop))),
                ("create", Box::new(|| store.create("l", b"1").map(drop))),
                ("swap", Box::new(|| store.compare_and_swap("k", revision, b"2").map(drop))),
                ("remove", Box::new(|| store.remove("m", revision).map(drop))),
            ];
            // At the same time: each has its own limit.
            std::thread::scope(|scope| {
                for (name, call) in &calls {
                    scope.spawn(move || {
                        let error = call().expect_err(name);
                        let took = started.elapsed();
                        assert!(took < CALL_MAX + LATE_MAX, "{name} took {took:?}");
                        let is_read = ["get", "list"].contains(name);
                        match &error {
                            MetadataError::Unavailable(_) => {}
                            MetadataError::OutcomeUnknown(_) if !is_read => {}
                            _ => panic!("{name}: {error:?}"),
                        }
                        assert!(error.to_string().contains(address), "{name}: {error}");
                    });
                }
            });
        };
        proxy.set(Cut::Everything);
        check(&*store, &proxy.address.to_string());
        proxy.set(Cut::Never);
        let server = backend.server.as_mut().expect("a server");
        server.kill();
        check(&*open_blind(&server.location_at(server.address())), &server.address().to_string());
        server.start();
        // Whatever was cut off may have arrived late; the store is whole and answers.
        assert!(store.get("k").expect("it is back").is_some());
    });
}

/// Opens what need not answer.
fn open_blind(location: &str) -> Arc<dyn Metadata> {
    let place = hexalog_cluster::Location::parse(std::ffi::OsStr::new(location)).expect("a location");
    place.open(hexalog_cluster::Opening::Existing).expect("no server is asked yet")
}

/// Loses the answer of every write.
struct Cutting {
    store: Arc<dyn Metadata>,
    proxy: Proxy,
}

impl Metadata for Cutting {
    fn get(&self, key: &str) -> Result<Option<Entry>, MetadataError> {
        self.proxy.set(Cut::Never);
        self.store.get(key)
    }
    fn list_page(&self, prefix: &str, after: Option<&str>) -> Result<Page, MetadataError> {
        self.proxy.set(Cut::Never);
        self.store.list_page(prefix, after)
    }
    fn create(&self, key: &str, value: &[u8]) -> Result<Option<Revision>, MetadataError> {
        self.proxy.set(Cut::BeforeAnswer);
        self.store.create(key, value)
    }
    fn compare_and_swap(
        &self,
        key: &str,
        revision: Revision,
        value: &[u8],
    ) -> Result<Option<Revision>, MetadataError> {
        self.proxy.set(Cut::BeforeAnswer);
        self.store.compare_and_swap(key, revision, value)
    }
    fn remove(&self, key: &str, revision: Revision) -> Result<bool, MetadataError> {
        self.store.remove(key, revision)
    }
    fn watch(&self, prefix: &str) -> Result<Box<dyn Watch>, MetadataError> {
        self.store.watch(prefix)
    }
}

/// A claim whose answer is lost has one epoch, not two.
#[test]
fn a_claim_that_is_cut_is_one_claim() {
    each_backend(|backend| {
        let Some((proxy, store)) = through_a_proxy(backend) else { return };
        let catalog = Catalog::new(Arc::new(Cutting { store, proxy }));
        let volume = VolumeId([7; 16]);
        let record = VolumeRecord {
            volume,
            epoch: VolumeEpoch(0),
            incarnation: Incarnation(0),
            geometry_epoch: GeometryEpoch(1),
            pages_per_group: 1024,
            groups: 0,
            lal_records: 1,
            lal_bytes: 1,
            member_pages: Vec::new(),
        };
        catalog.create_volume("main", record, &[], 1).expect("creates");
        for claim in 1..=3 {
            let claimed = catalog.claim_volume(volume, Incarnation(claim)).expect("claims");
            assert_eq!((claimed.epoch.0, claimed.incarnation.0), (claim, claim));
            let change = |record: &mut VolumeRecord| record.lal_records = claim;
            let changed = catalog.change_volume(volume, claimed.writer(), change).expect("changes");
            let direct = Catalog::new(backend.open()).volume(volume).expect("reads").expect("there");
            assert_eq!(direct.1, changed);
        }
        let names = Catalog::new(backend.open()).volume_names().expect("names");
        assert_eq!(names.into_iter().collect::<Vec<_>>(), [("main".to_owned(), volume)]);
    });
}
