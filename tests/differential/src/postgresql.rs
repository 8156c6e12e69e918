//! A PostgreSQL 15 of this run's own, in a directory that goes with it.

use crate::compare::Server;
use hexalog_sql_client::Connection;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Where packages put it.
const FOLDERS: &[&str] = &["/usr/lib/postgresql/15/bin", "/usr/pgsql-15/bin"];
/// It is there within a second, on a busy machine within ten.
const START_MAX: Duration = Duration::from_secs(60);

/// A running server; dropped, it stops.
pub struct Postgresql {
    child: Child,
    address: SocketAddr,
    _directory: tempfile::TempDir,
}

impl Postgresql {
    /// Starts one. `Err` says why there is none: it may not be installed.
    pub fn start() -> Result<Postgresql, String> {
        let programs = FOLDERS.iter().map(Path::new).find(|folder| folder.join("postgres").exists());
        let programs = programs.ok_or("PostgreSQL 15's server is not installed")?;
        let directory = tempfile::tempdir().map_err(|error| format!("a directory: {error}"))?;
        let data = directory.path().join("data");
        let is_root =
            std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
        if is_root {
            // It refuses to run as root.
            let given = Command::new("chown").arg("postgres").arg(directory.path()).status();
            if !given.is_ok_and(|status| status.success()) {
                return Err("as root it needs the user postgres".into());
            }
        }
        let program = |name: &str| as_user(is_root, programs.join(name));
        let initdb = program("initdb")
            .args([
                "--locale=C.UTF-8",
                "--encoding=UTF8",
                "--username=postgres",
                "--auth=trust",
                "--no-sync",
                "-D",
            ])
            .arg(&data)
            .output()
            .map_err(|error| format!("initdb: {error}"))?;
        if !initdb.status.success() {
            return Err(format!("initdb: {}", String::from_utf8_lossy(&initdb.stderr)));
        }
        let port = free_port().map_err(|error| format!("a port: {error}"))?;
        let log = std::fs::File::create(directory.path().join("log"))
            .map_err(|error| format!("its log: {error}"))?;
        let child = program("postgres")
            .arg("-D")
            .arg(&data)
            .args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"])
            .args(["-c", "unix_socket_directories=", "-c", "timezone=UTC"])
            .args(["-c", "max_prepared_transactions=64"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(|error| format!("postgres: {error}"))?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let server = Postgresql { child, address, _directory: directory };
        let begun = Instant::now();
        let connect =
            || Connection::connect(address, "postgres", "postgres", "differential", Some(START_MAX));
        while connect().is_err() {
            if begun.elapsed() > START_MAX {
                return Err("PostgreSQL does not start".into());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(server)
    }

    /// How to reach it.
    pub fn server(&self) -> Server {
        Server { address: self.address, user: "postgres".into() }
    }
}

impl Drop for Postgresql {
    fn drop(&mut self) {
        // The process of `setpriv` is the server's own: it replaces itself.
        let id = self.child.id().to_string();
        let _ = Command::new("kill").args(["-INT", &id]).status();
        let _ = self.child.wait();
    }
}

fn as_user(is_root: bool, program: PathBuf) -> Command {
    if !is_root {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(program);
    command
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
