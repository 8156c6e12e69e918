//! Members of etcd, real ones (`apt install etcd-server`), each a process of its own that is killed by its id.

use crate::backends::{Backend, Server, free_addresses, wait_for};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// One process.
pub struct Member {
    pub client: SocketAddr,
    name: String,
    peer: SocketAddr,
    cluster: String,
    data: PathBuf,
    /// More options.
    pub options: Vec<String>,
    /// What clients reach it by.
    pub scheme: &'static str,
    process: Option<Child>,
}

/// Whether there is an etcd; says so if not.
pub fn is_installed() -> bool {
    let found = Command::new("etcd").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if found.is_err() {
        eprintln!("skipped: etcd: it is not installed (apt install etcd-server)");
    }
    found.is_ok()
}

/// A cluster of one.
pub fn one() -> Option<Backend> {
    if !is_installed() {
        return None;
    }
    let directory = tempfile::tempdir().expect("temporary directory");
    let [mut member] = members::<1>(directory.path());
    member.start();
    let location = member.location_at(member.client);
    Some(Backend::of_server("etcd", location, Box::new(member), directory))
}

/// Members that know each other, not yet started.
pub fn members<const COUNT: usize>(directory: &Path) -> [Member; COUNT] {
    let (clients, peers) = (free_addresses::<COUNT>(), free_addresses::<COUNT>());
    let named: Vec<String> =
        peers.iter().enumerate().map(|(index, peer)| format!("m{index}=http://{peer}")).collect();
    std::array::from_fn(|index| Member {
        client: clients[index],
        name: format!("m{index}"),
        peer: peers[index],
        cluster: named.join(","),
        data: directory.join(format!("m{index}")),
        options: Vec::new(),
        scheme: "http",
        process: None,
    })
}

impl Member {
    /// Starts it; alone it cannot answer when there are others.
    pub fn spawn(&mut self) {
        assert!(self.process.is_none(), "it runs");
        let (client, peer) = (format!("{}://{}", self.scheme, self.client), format!("http://{}", self.peer));
        let log = std::fs::File::create(self.data.with_extension("log")).expect("a log");
        let mut command = Command::new("etcd");
        command
            .args(["--name", &self.name, "--initial-cluster", &self.cluster])
            .arg("--data-dir")
            .arg(&self.data);
        command.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
        command.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
        command.args(&self.options);
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("clones")).stderr(log);
        self.process = Some(command.spawn().expect("etcd starts"));
    }

    /// Its process id.
    pub fn id(&self) -> Option<u32> {
        self.process.as_ref().map(Child::id)
    }

    /// Its id in the cluster and the leader's, as it says itself; `None`: it does not answer.
    pub fn status(&self) -> Option<(u64, u64)> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let ask = async {
            let mut client =
                etcd_client::Client::connect([format!("http://{}", self.client)], None).await.ok()?;
            let answer = client.status().await.ok()?;
            Some((answer.header()?.member_id(), answer.leader()))
        };
        runtime.block_on(async { tokio::time::timeout(std::time::Duration::from_secs(1), ask).await.ok()? })
    }
}

impl Server for Member {
    fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("own child");
            process.wait().expect("own child");
        }
    }

    fn start(&mut self) {
        self.spawn();
        wait_for(self.client, || {
            TcpStream::connect(self.client).is_ok() && self.status().is_some_and(|(_, leader)| leader != 0)
        });
    }

    fn address(&self) -> SocketAddr {
        self.client
    }

    fn location_at(&self, address: SocketAddr) -> String {
        format!("etcd://{address}/test/cluster")
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.kill();
    }
}
