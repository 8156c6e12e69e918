//! The stores under test and their servers, each started by the test that uses it and ended by its id.

use hexalog_cluster::{Location, Metadata, Opening};
use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;
#[cfg(any(feature = "etcd", feature = "dynamodb"))]
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A store that is empty at first, with what keeps it.
pub struct Backend {
    pub name: &'static str,
    /// As a user writes it.
    pub location: String,
    /// What is started and killed; `None`: a file.
    pub server: Option<Box<dyn Server>>,
    _directory: TempDir,
}

/// A server of a store.
pub trait Server {
    /// Kills it.
    fn kill(&mut self);
    /// Starts it again with its data and waits until it answers.
    fn start(&mut self);
    /// Where it listens.
    fn address(&self) -> std::net::SocketAddr;
    /// The location of the same store when it is reached at another address.
    fn location_at(&self, address: std::net::SocketAddr) -> String;
}

impl Backend {
    /// A store at `location` that a server has.
    #[cfg(any(feature = "etcd", feature = "dynamodb"))]
    pub fn of_server(
        name: &'static str,
        location: String,
        server: Box<dyn Server>,
        directory: TempDir,
    ) -> Backend {
        Backend { name, location, server: Some(server), _directory: directory }
    }

    /// A client of its own: as separate as another process's.
    pub fn open(&self) -> Arc<dyn Metadata> {
        open(&self.location)
    }
}

/// Opens, or makes, the store at a location.
pub fn open(location: &str) -> Arc<dyn Metadata> {
    let place = Location::parse(OsStr::new(location)).expect("a location");
    place.open(Opening::OrCreate).unwrap_or_else(|error| panic!("{location}: {error}"))
}

/// Runs a test on every backend that there is.
pub fn each_backend(test: impl Fn(&mut Backend)) {
    let backends: &[fn() -> Option<Backend>] = &[
        sqlite,
        #[cfg(feature = "etcd")]
        crate::etcd_server::one,
        #[cfg(feature = "dynamodb")]
        crate::dynalite::one,
    ];
    for make in backends {
        if let Some(mut backend) = make() {
            eprintln!("backend {}", backend.name);
            test(&mut backend);
        }
    }
}

/// Ports that nobody listens on now.
#[cfg(any(feature = "etcd", feature = "dynamodb"))]
pub fn free_addresses<const COUNT: usize>() -> [std::net::SocketAddr; COUNT] {
    let bind = || std::net::TcpListener::bind("127.0.0.1:0").expect("binds");
    // All at once, or one would be given twice.
    let listeners = [(); COUNT].map(|()| bind());
    listeners.map(|listener| listener.local_addr().expect("bound"))
}

/// Waits until a server takes connections.
#[cfg(any(feature = "etcd", feature = "dynamodb"))]
pub fn wait_for(address: std::net::SocketAddr, is_there: impl Fn() -> bool) {
    const START_MAX: Duration = Duration::from_secs(60);
    let deadline = Instant::now() + START_MAX;
    while !is_there() {
        assert!(Instant::now() < deadline, "nothing answers at {address}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn sqlite() -> Option<Backend> {
    let directory = tempfile::tempdir().expect("temporary directory");
    let location = path_text(&directory.path().join("metadata.sqlite"));
    Some(Backend { name: "sqlite", location, server: None, _directory: directory })
}

fn path_text(path: &Path) -> String {
    path.to_str().expect("UTF-8").to_owned()
}
