//! dynalite, which speaks the DynamoDB API (`npm install dynalite`; `NODE_PATH` names the directory of Node's packages): a process that is
//! killed by its id.

use crate::backends::{Backend, Server, free_addresses, wait_for};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

struct Dynalite {
    program: PathBuf,
    address: SocketAddr,
    data: PathBuf,
    process: Option<Child>,
}

/// A server with no tables; says so where it is not installed.
pub fn one() -> Option<Backend> {
    let packages = std::env::var_os("NODE_PATH");
    let program = packages.map(|packages| Path::new(&packages).join("dynalite/cli.js"));
    let Some(program) = program.filter(|program| program.exists()) else {
        eprintln!("skipped: dynamodb: NODE_PATH names no directory with dynalite (npm install dynalite)");
        return None;
    };
    let directory = tempfile::tempdir().expect("temporary directory");
    let [address] = free_addresses::<1>();
    let mut server = Dynalite { program, address, data: directory.path().join("tables"), process: None };
    server.start();
    let location = server.location_at(address);
    Some(Backend::of_server("dynamodb", location, Box::new(server), directory))
}

impl Server for Dynalite {
    fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("own child");
            process.wait().expect("own child");
        }
    }

    fn start(&mut self) {
        assert!(self.process.is_none(), "it runs");
        let mut command = Command::new("node");
        command.arg(&self.program).args(["--host", "127.0.0.1", "--createTableMs", "20"]);
        command.arg("--port").arg(self.address.port().to_string()).arg("--path").arg(&self.data);
        let log = std::fs::File::create(self.data.with_extension("log")).expect("a log");
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("clones")).stderr(log);
        self.process = Some(command.spawn().expect("node starts"));
        wait_for(self.address, || TcpStream::connect(self.address).is_ok());
    }

    fn address(&self) -> SocketAddr {
        self.address
    }

    fn location_at(&self, address: SocketAddr) -> String {
        format!("dynamodb://hexalog-test?region=test-1&endpoint=http://{address}&credentials=none")
    }
}

impl Drop for Dynalite {
    fn drop(&mut self) {
        self.kill();
    }
}
