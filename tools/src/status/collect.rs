//! Asking metadata, every shard and compute for their state, all at the same time.

use crate::cluster::{metadata_failure, open_volume};
use crate::exit::{Code, Failure};
use crate::storage_client::ShardConnection;
use hexalog_cluster::catalog::ComputeRecord;
use hexalog_cluster::{GroupMembers, Location, NodeRecord, VolumeRecord};
use hexalog_protocol::ShardIndex;
use hexalog_protocol::message::Status;
use hexalog_server::wire::startup::STATUS_REQUEST;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A process that does not answer within this is reported as not answering.
const ANSWER_MAX: Duration = Duration::from_secs(1);

/// What was gathered.
pub struct Collected {
    /// The volume's name.
    pub name: String,
    /// The volume in metadata.
    pub record: VolumeRecord,
    /// Members in metadata.
    pub groups: Vec<GroupMembers>,
    /// Every shard in metadata with its answer.
    pub shards: Vec<ShardAnswer>,
    /// The last opener in metadata, and its answer.
    pub compute: Option<(ComputeRecord, Result<Value, String>)>,
}

/// One shard and what it said.
pub struct ShardAnswer {
    /// Its daemon.
    pub node: NodeRecord,
    /// The shard.
    pub shard: ShardIndex,
    /// Its state, or why there is none.
    pub status: Result<Status, String>,
}

/// Gathers everything.
pub fn collect(metadata: &Location, name: &str) -> Result<Collected, Failure> {
    let (catalog, id) = open_volume(metadata, name)?;
    let found = catalog.volume(id).map_err(metadata_failure)?;
    let (_, record) = found.ok_or_else(|| Failure::new(Code::Metadata, "the volume's record is missing"))?;
    let groups = catalog.members(&record).map_err(metadata_failure)?;
    let nodes = catalog.nodes().map_err(metadata_failure)?;
    let compute = catalog.compute(id).map_err(metadata_failure)?;
    let (shards, compute_answer) = std::thread::scope(|scope| {
        let asked: Vec<_> = nodes
            .iter()
            .flat_map(|node| (0..node.shards).map(move |shard| (node, ShardIndex(shard))))
            .map(|(node, shard)| scope.spawn(move || ask_shard(node, shard)))
            .collect();
        let compute = compute.as_ref().map(|compute| scope.spawn(|| ask_compute(compute.listen)));
        let shards = asked.into_iter().map(|thread| thread.join().expect("asking does not panic")).collect();
        (shards, compute.map(|thread| thread.join().expect("asking does not panic")))
    });
    let compute = compute.zip(compute_answer);
    Ok(Collected { name: name.to_owned(), record, groups, shards, compute })
}

fn ask_shard(node: &NodeRecord, shard: ShardIndex) -> ShardAnswer {
    let address = node.address(shard).expect("within the node's shards");
    let status = ShardConnection::connect(address, ANSWER_MAX).and_then(|mut connection| connection.status());
    ShardAnswer { node: node.clone(), shard, status: status.map_err(|error| error.to_string()) }
}

fn ask_compute(address: SocketAddr) -> Result<Value, String> {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&address, ANSWER_MAX)?;
        stream.set_read_timeout(Some(ANSWER_MAX))?;
        stream.write_all(&8_i32.to_be_bytes())?;
        stream.write_all(&STATUS_REQUEST.to_be_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = ask().map_err(|error| error.to_string())?;
    serde_json::from_str(&answer).map_err(|_| "it does not answer as compute does".to_owned())
}
