//! What only etcd has: several members, a leader that dies, history that is compacted, TLS.

use crate::backends::{Server, open, wait_for};
use crate::etcd_server::{Member, is_installed, members};
use crate::proxy::{Cut, Proxy};
use hexalog_cluster::metadata::{CALL_MAX, Event};
use hexalog_cluster::{Metadata, settle};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// A leader's death is known after a second, and an election takes less than another, on a machine with time to spare.
const FAILOVER_MAX: Duration = Duration::from_secs(15);

fn three(directory: &Path) -> ([Member; 3], String) {
    let mut members = members::<3>(directory);
    members.iter_mut().for_each(Member::spawn);
    wait_for(members[0].client, || {
        members.iter().all(|member| member.status().is_some_and(|(_, leader)| leader != 0))
    });
    let addresses: Vec<String> = members.iter().map(|member| member.client.to_string()).collect();
    (members, format!("etcd://{}/test", addresses.join(",")))
}

fn leader(members: &[Member]) -> usize {
    let leads = |member: &Member| member.status().is_some_and(|(own, leader)| own == leader);
    members.iter().position(leads).expect("there is a leader")
}

/// Writes through; every error on the way must be one that says what is to be done.
fn write(store: &dyn Metadata, value: &str) {
    let deadline = Instant::now() + FAILOVER_MAX;
    loop {
        let outcome = store.get("k").and_then(|entry| {
            let entry = entry.expect("it is never removed");
            settle::compare_and_swap(store, "k", entry.revision, value.as_bytes())
        });
        match outcome {
            Ok(Some(_)) => return,
            Ok(None) => panic!("nobody else writes"),
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
    }
}

#[test]
fn the_leader_is_killed_and_writes_go_on() {
    if !is_installed() {
        return;
    }
    let directory = tempfile::tempdir().expect("temporary directory");
    let (mut members, location) = three(directory.path());
    let store = open(&location);
    store.create("k", b"0").expect("create").expect("absent");
    let mut watch = store.watch("k").expect("watch");
    for round in 1..=2 {
        let leader = leader(&members);
        members[leader].kill();
        assert!(members[leader].id().is_none());
        let killed = Instant::now();
        let value = format!("after {round}");
        write(&*store, &value);
        eprintln!("first write {} ms after the leader's death", killed.elapsed().as_millis());
        assert!(killed.elapsed() < FAILOVER_MAX, "{:?}", killed.elapsed());
        assert_eq!(store.get("k").expect("get").expect("there").value, value.as_bytes());
        // The watch hears of it wherever it hung.
        let deadline = Instant::now() + FAILOVER_MAX;
        let is_it =
            |event: &Event| matches!(event, Event::Put { entry, .. } if entry.value == value.as_bytes());
        while !watch.next(Duration::from_millis(200)).unwrap_or_default().iter().any(is_it) {
            assert!(Instant::now() < deadline, "the watch was not told");
        }
        members[leader].start();
    }
    // Two of three are gone: nothing is written, and reads do not pretend.
    members[0].kill();
    members[1].kill();
    let started = Instant::now();
    let error = store.get("k").expect_err("no quorum");
    assert!(started.elapsed() < CALL_MAX + Duration::from_secs(3), "{:?}", started.elapsed());
    assert!(error.to_string().contains(&members[2].client.to_string()), "{error}");
    members[0].start();
    write(&*store, "again");
}

/// A member that hangs holds up one read for a moment, and no later one.
#[test]
fn a_member_that_hangs_is_gone_round() {
    if !is_installed() {
        return;
    }
    let directory = tempfile::tempdir().expect("temporary directory");
    let (members, _) = three(directory.path());
    let proxies: Vec<Proxy> = members.iter().map(|member| Proxy::start(member.client)).collect();
    let addresses: Vec<String> = proxies.iter().map(|proxy| proxy.address.to_string()).collect();
    let store = open(&format!("etcd://{}/test", addresses.join(",")));
    store.create("k", b"0").expect("create").expect("absent");
    proxies[0].set(Cut::Everything);
    write(&*store, "1");
    let started = Instant::now();
    for value in ["2", "3", "4", "5"] {
        write(&*store, value);
    }
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    proxies[0].set(Cut::Never);
}

/// What a watch could not be told, since etcd forgot it meanwhile, is said to be missing; and then it goes on.
#[test]
fn a_watch_says_what_compaction_took() {
    if !is_installed() {
        return;
    }
    let directory = tempfile::tempdir().expect("temporary directory");
    let [mut member] = members::<1>(directory.path());
    member.start();
    let direct = open(&member.location_at(member.client));
    let proxy = Proxy::start(member.client);
    let mut watch = open(&member.location_at(proxy.address)).watch("w/").expect("watch");
    let mut revision = direct.create("w/k", b"0").expect("create").expect("absent");
    let mut until = |wanted: &dyn Fn(&Event) -> bool| -> Vec<Event> {
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut all = Vec::new();
        while !all.iter().any(wanted) {
            assert!(Instant::now() < deadline, "{all:?}");
            all.extend(watch.next(Duration::from_millis(200)).unwrap_or_default());
        }
        all
    };
    let is_value =
        |event: &Event, value: &[u8]| matches!(event, Event::Put { entry, .. } if entry.value == value);
    until(&|event| is_value(event, b"0"));
    // The stream is cut at its next sign of life and cannot come back before the history is gone.
    member.kill();
    member.start();
    proxy.set(Cut::Everything);
    for value in 1..=5 {
        let value = value.to_string();
        revision = direct.compare_and_swap("w/k", revision, value.as_bytes()).expect("cas").expect("alone");
    }
    compact(&member, revision.0);
    proxy.set(Cut::Never);
    let events = until(&|event| is_value(event, b"5"));
    assert!(events.contains(&Event::Missed), "{events:?}");
    assert!(!events.iter().any(|event| is_value(event, b"1")), "{events:?}");
    direct.compare_and_swap("w/k", revision, b"6").expect("cas").expect("alone");
    assert_eq!(until(&|event| is_value(event, b"6")).len(), 1);
}

/// A key and a certificate for the loopback address, signed by `signer` or by itself.
fn certificate(directory: &Path, name: &str, signer: Option<&str>) -> bool {
    let file = |name: &str, end: &str| directory.join(format!("{name}.{end}")).display().to_string();
    let mut command = Command::new("openssl");
    command.args([
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        &format!("/CN={name}"),
    ]);
    command.args([
        "-addext",
        "subjectAltName=IP:127.0.0.1",
        "-addext",
        "extendedKeyUsage=serverAuth,clientAuth",
    ]);
    command.args(["-keyout", &file(name, "key"), "-out", &file(name, "pem")]);
    if let Some(signer) = signer {
        command.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
        command.args(["-CA", &file(signer, "pem"), "-CAkey", &file(signer, "key")]);
    }
    command.output().is_ok_and(|output| output.status.success())
}

/// By TLS with a CA of its own, which also says who may come: one with a certificate is served, one without is not, and
/// neither is one who trusts another CA.
#[test]
fn connections_are_secured_where_that_is_asked_for() {
    if !is_installed() {
        return;
    }
    let directory = tempfile::tempdir().expect("temporary directory");
    let path = directory.path();
    let made = [("ca", None), ("other", None), ("server", Some("ca")), ("client", Some("ca"))];
    if !made.iter().all(|(name, signer)| certificate(path, name, *signer)) {
        eprintln!("skipped: there is no openssl 3 to make certificates with");
        return;
    }
    let file = |name: &str| path.join(name).display().to_string();
    let [mut member] = members::<1>(path);
    member.scheme = "https";
    member.options = vec!["--cert-file".into(), file("server.pem"), "--key-file".into(), file("server.key")];
    member.options.extend(["--client-cert-auth".into(), "--trusted-ca-file".into(), file("ca.pem")]);
    member.spawn();
    let at = |query: &str| format!("etcd://{}/test?{query}", member.client);
    let known = format!("ca={}&cert={}&key={}", file("ca.pem"), file("client.pem"), file("client.key"));
    let store = open(&at(&known));
    wait_for(member.client, || store.get("k").is_ok());
    store.create("k", b"secret").expect("create").expect("absent");
    assert_eq!(open(&at(&known)).get("k").expect("get").expect("there").value, b"secret");
    let strangers = [
        at(&format!("ca={}", file("ca.pem"))),
        at(&known.replace("ca.pem", "other.pem")),
        format!("etcd://{}/test", member.client),
    ];
    for location in strangers {
        let outcome = open(&location).get("k");
        assert!(outcome.is_err(), "{location}: {outcome:?}");
    }
    let missing = at(&format!("ca={}", file("none.pem")));
    let place = hexalog_cluster::Location::parse(std::ffi::OsStr::new(&missing)).expect("a location");
    let error = place.open(hexalog_cluster::Opening::Existing).err().expect("there is no such file");
    assert!(error.to_string().contains("none.pem"), "{error}");
}

fn compact(member: &Member, revision: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let url = format!("http://{}", member.client);
    let compacted = async {
        let mut client = etcd_client::Client::connect([url], None).await?;
        client.compact(i64::try_from(revision).expect("small"), None).await
    };
    runtime.block_on(compacted).expect("compacts");
}
