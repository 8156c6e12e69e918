//! The stores under test and their servers, each started by the test that uses it and ended by its id.

use hexalog_cluster::{Location, Metadata, Opening};
use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;
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
#[allow(dead_code)] // Without a server's feature nobody starts one.
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
    for make in [sqlite] {
        if let Some(mut backend) = make() {
            eprintln!("backend {}", backend.name);
            test(&mut backend);
        }
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
