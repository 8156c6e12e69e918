//! Accepting without free descriptors. A process of its own: the limit holds for all of its threads.

#![allow(clippy::disallowed_methods, clippy::unwrap_used)]

#[allow(dead_code)] // what other tests need of it
mod stand_in;

use hexalog_storage_driver::durability::DurabilityPath;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, Socket, Type};
use stand_in::*;
use std::fs::File;
use std::time::Duration;

/// So many descriptors the process may have; the fixture takes about twenty.
const DESCRIPTORS: u64 = 64;

#[test]
fn connections_are_accepted_again_once_there_are_descriptors() {
    // Before the start: an accept that goes on keeps to the limit that held when it was asked for.
    let before = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(DESCRIPTORS), ..before }).unwrap();
    let fixture = Fixture::start(DurabilityPath::LinkedFlush);
    assert_eq!(fixture.client().call(ECHO, b"before"), b"before");
    fixture.wait_for("closed 1");
    let sockets: Vec<_> = (0..3).map(|_| Socket::new(Domain::IPV4, Type::STREAM, None).unwrap()).collect();
    let mut taken = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        taken.push(file);
        assert!(taken.len() < DESCRIPTORS as usize, "the limit holds");
    }
    for socket in &sockets {
        // The kernel takes it into the backlog.
        socket.connect(&fixture.address.into()).unwrap();
    }
    // Some accepts fail.
    std::thread::sleep(Duration::from_millis(250));
    assert_eq!(fixture.seen.lock().unwrap().iter().filter(|line| *line == "accepted").count(), 1);
    drop(taken);
    for socket in sockets {
        assert_eq!(Client::over(socket.into()).call(ECHO, b"after"), b"after");
    }
    assert_eq!(fixture.client().call(ECHO, b"later"), b"later");
    assert!(fixture.stop());
}
