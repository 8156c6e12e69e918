//! The records of a cluster in its metadata store, typed.
//!
//! Owns the key names and the order of writes; the store only sees bytes. Keys:
//!
//! | key | value |
//! |---|---|
//! | `cluster` | [`ClusterRecord`], written once |
//! | `names` | all volume names: a JSON object of name to volume id |
//! | `volume/ID` | [`VolumeRecord`], changed by compare-and-swap only |
//! | `members/ID/GEOMETRY-PAGE-NONCE` | up to 256 [`GroupMembers`], immutable |
//! | `node/N` | [`NodeRecord`] |
//! | `heartbeat/N` | [`HeartbeatRecord`] |
//! | `endpoint/ID/writer` | [`ComputeRecord`]: where the volume's last opener listens |
//! | `backup/ID` | [`BackupRecord`]: where the volume's backup is |
//! | `lease/NAME` | [`crate::lease::LeaseRecord`] |
//!
//! Byte by byte: `docs/metadata-format.md`.
//!
//! A volume comes into being in the order member pages → volume value → name, so that whoever finds a name
//! finds everything behind it; a creation that died half way leaves only unnamed keys behind.

use crate::metadata::{Metadata, MetadataError, Revision};
use crate::node::{HeartbeatRecord, NodeRecord};
use crate::settle;
use crate::volume::{GROUPS_PER_MEMBER_PAGE, GroupMembers, VolumeRecord};
use hexalog_protocol::ids::WriterId;
use hexalog_protocol::message::{Member, Membership};
use hexalog_protocol::{Incarnation, NodeId, VolumeEpoch, VolumeId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

/// What tells clusters apart.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterRecord {
    /// Random, drawn when the cluster was made; 32 hexadecimal digits.
    pub cluster: String,
    /// Format of the records in this store.
    pub format: u32,
}

/// Where a volume's last opener serves clients. For people and tools: it decides nothing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComputeRecord {
    /// Epoch of the opening.
    pub epoch: u64,
    /// Where it listens.
    pub listen: SocketAddr,
}

/// Where a volume's backup is. The object store's own manifests are the truth; this says where to look for them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupRecord {
    /// URL of the object store and the path in it.
    pub location: String,
    /// Number of the newest manifest that was told; there may be newer ones.
    pub manifest: u64,
}

/// The format that this code writes. 1, which it reads and brings up to this, had `compute/ID` for `endpoint/ID/writer`.
pub const FORMAT: u32 = 2;

/// Tries of a compare-and-swap against others before it gives up: each lost try means that another won.
const CAS_TRIES: usize = 64;

const CLUSTER: &str = "cluster";
const NAMES: &str = "names";
/// What format 1 began its keys of computes with.
const COMPUTE_OF_FORMAT_1: &str = "compute/";

/// All volume names and the revision of their value.
type Names = (Revision, BTreeMap<String, VolumeId>);

/// Typed access to a metadata store.
#[derive(Clone)]
pub struct Catalog {
    store: Arc<dyn Metadata>,
}

/// Why a change of a volume's record was not made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ChangeError {
    /// The store failed.
    Store(MetadataError),
    /// No such volume.
    UnknownVolume(String),
    /// Someone else opened the volume meanwhile.
    Overtaken(WriterId),
    /// The name is taken.
    NameTaken(String),
}

impl From<MetadataError> for ChangeError {
    fn from(error: MetadataError) -> ChangeError {
        ChangeError::Store(error)
    }
}

impl std::fmt::Display for ChangeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ChangeError::Store(error) => error.fmt(f),
            ChangeError::UnknownVolume(name) => write!(f, "there is no volume \"{name}\""),
            ChangeError::Overtaken(writer) => {
                write!(f, "another compute opened the volume with epoch {}", writer.epoch)
            }
            ChangeError::NameTaken(name) => write!(f, "there is a volume \"{name}\" already"),
        }
    }
}

impl std::error::Error for ChangeError {}

impl Catalog {
    /// Over `store`.
    pub fn new(store: Arc<dyn Metadata>) -> Catalog {
        Catalog { store }
    }

    /// The store itself, for leases and watches.
    pub fn store(&self) -> &Arc<dyn Metadata> {
        &self.store
    }

    /// The cluster's identity; `None` in an empty store.
    pub fn cluster(&self) -> Result<Option<ClusterRecord>, MetadataError> {
        let record: Option<(Revision, ClusterRecord)> = self.read(CLUSTER)?;
        match record {
            Some((_, record)) if record.format == 0 || record.format > FORMAT => Err(MetadataError::Corrupt(
                format!("records of format {}; this program knows those up to {FORMAT}", record.format),
            )),
            record => Ok(record.map(|(_, record)| record)),
        }
    }

    /// Makes the cluster's identity, or returns the one that is there.
    pub fn create_cluster(&self, cluster: &str) -> Result<ClusterRecord, MetadataError> {
        let record = ClusterRecord { cluster: cluster.to_owned(), format: FORMAT };
        settle::create(self.store.as_ref(), CLUSTER, &encode(&record))?;
        self.cluster()?.ok_or_else(|| MetadataError::Corrupt("the cluster's record vanished".to_owned()))
    }

    /// Brings records of an older format up to this one, before anything is written. May die anywhere and be done by several at
    /// once: each step is done or not, and the format number changes last. From then on older programs refuse the store.
    pub fn upgrade(&self) -> Result<(), MetadataError> {
        let Some(found) = self.cluster()?.filter(|found| found.format < FORMAT) else { return Ok(()) };
        for entry in self.store.list(COMPUTE_OF_FORMAT_1)? {
            let volume = entry.key[COMPUTE_OF_FORMAT_1.len()..].to_owned();
            settle::create(self.store.as_ref(), &format!("endpoint/{volume}/writer"), &entry.value)?;
            // Whether it is there no more is all that counts.
            self.store.remove(&entry.key, entry.revision)?;
        }
        let Some((revision, record)) = self.read::<ClusterRecord>(CLUSTER)? else { return Ok(()) };
        if record == found {
            let upgraded = ClusterRecord { format: FORMAT, ..record };
            settle::compare_and_swap(self.store.as_ref(), CLUSTER, revision, &encode(&upgraded))?;
        }
        Ok(())
    }

    /// All daemons, by id.
    pub fn nodes(&self) -> Result<Vec<NodeRecord>, MetadataError> {
        let entries = self.store.list("node/")?;
        let mut nodes: Vec<NodeRecord> =
            entries.iter().map(|entry| decode(&entry.key, &entry.value)).collect::<Result<_, _>>()?;
        nodes.sort_by_key(|node| node.node);
        Ok(nodes)
    }

    /// Writes a daemon's record, new or changed.
    pub fn put_node(&self, node: &NodeRecord) -> Result<(), MetadataError> {
        self.put(&format!("node/{}", node.node), node)
    }

    /// Removes a daemon's record and its sign of life, if they are there.
    pub fn remove_node(&self, node: NodeId) -> Result<(), MetadataError> {
        self.remove(&format!("node/{node}"))?;
        self.remove(&format!("heartbeat/{node}"))
    }

    /// Removes a key, if it is there.
    fn remove(&self, key: &str) -> Result<(), MetadataError> {
        for _ in 0..CAS_TRIES {
            let Some(entry) = self.store.get(key)? else { return Ok(()) };
            if self.store.remove(key, entry.revision)? {
                return Ok(());
            }
        }
        Err(MetadataError::Unavailable(format!("{key} changes too often")))
    }

    /// Every daemon's last sign of life, in no order that matters.
    pub fn heartbeats(&self) -> Result<Vec<HeartbeatRecord>, MetadataError> {
        let entries = self.store.list("heartbeat/")?;
        entries.iter().map(|entry| decode(&entry.key, &entry.value)).collect()
    }

    /// Writes a daemon's sign of life.
    pub fn put_heartbeat(&self, heartbeat: &HeartbeatRecord) -> Result<(), MetadataError> {
        self.put(&format!("heartbeat/{}", heartbeat.node), heartbeat)
    }

    /// Where the volume's backup is.
    pub fn backup(&self, id: VolumeId) -> Result<Option<BackupRecord>, MetadataError> {
        Ok(self.read(&format!("backup/{id}"))?.map(|(_, record)| record))
    }

    /// Writes where the volume's backup is.
    pub fn put_backup(&self, id: VolumeId, backup: &BackupRecord) -> Result<(), MetadataError> {
        self.put(&format!("backup/{id}"), backup)
    }

    /// Writes a record whose last writer is right.
    fn put<T: Serialize>(&self, key: &str, record: &T) -> Result<(), MetadataError> {
        let value = encode(record);
        for _ in 0..CAS_TRIES {
            let revision = self.store.get(key)?.map(|entry| entry.revision);
            if settle::put(self.store.as_ref(), key, revision, &value)?.is_some() {
                return Ok(());
            }
        }
        Err(MetadataError::Unavailable(format!("{key} changes too often")))
    }

    /// Volume names, all in one value.
    pub fn volume_names(&self) -> Result<BTreeMap<String, VolumeId>, MetadataError> {
        Ok(self.read_names()?.map(|(_, names)| names).unwrap_or_default())
    }

    /// The volume of that name.
    pub fn volume_id(&self, name: &str) -> Result<VolumeId, ChangeError> {
        self.volume_names()?.get(name).copied().ok_or_else(|| ChangeError::UnknownVolume(name.to_owned()))
    }

    /// The record of a volume with the revision that a change of it must name.
    pub fn volume(&self, id: VolumeId) -> Result<Option<(Revision, VolumeRecord)>, MetadataError> {
        self.read(&volume_key(id))
    }

    /// Makes a volume: member pages, then its value, then its name. `nonce` is random and tells attempts
    /// apart, since pages are immutable.
    pub fn create_volume(
        &self,
        name: &str,
        mut record: VolumeRecord,
        groups: &[GroupMembers],
        nonce: u64,
    ) -> Result<VolumeRecord, ChangeError> {
        assert_eq!(groups.len(), record.groups as usize, "a member list for each group");
        assert!(groups.iter().zip(0..).all(|(members, group)| members.group.0 == group), "in group order");
        record.member_pages = self.write_member_pages(&record, groups, nonce)?;
        let key = volume_key(record.volume);
        if settle::create(self.store.as_ref(), &key, &encode(&record))?.is_none() {
            return Err(ChangeError::NameTaken(record.volume.to_string()));
        }
        self.add_name(name, record.volume)?;
        Ok(record)
    }

    /// The members of every group of a volume.
    pub fn members(&self, record: &VolumeRecord) -> Result<Vec<GroupMembers>, MetadataError> {
        let mut groups = Vec::with_capacity(record.groups as usize);
        for key in &record.member_pages {
            let page: Option<(Revision, Vec<GroupMembers>)> = self.read(key)?;
            let (_, page) = page.ok_or_else(|| MetadataError::Corrupt(format!("{key} is missing")))?;
            groups.extend(page);
        }
        let in_order = groups.iter().zip(0..).all(|(members, group)| members.group.0 == group);
        if groups.len() != record.groups as usize || !in_order {
            return Err(MetadataError::Corrupt(format!("member lists of volume {}", record.volume)));
        }
        Ok(groups)
    }

    /// Claims a volume for writing (opening, step 1): epoch + 1 with `incarnation`, by compare-and-swap. The
    /// answer is the record as written; it also freezes the geometry that the opener works on.
    pub fn claim_volume(&self, id: VolumeId, incarnation: Incarnation) -> Result<VolumeRecord, ChangeError> {
        assert_ne!(incarnation, Incarnation::default(), "incarnation 0 means never opened");
        for _ in 0..CAS_TRIES {
            let Some((revision, mut record)) = self.volume(id)? else {
                return Err(ChangeError::UnknownVolume(id.to_string()));
            };
            record.epoch = VolumeEpoch(record.epoch.0 + 1);
            record.incarnation = incarnation;
            let (store, key) = (self.store.as_ref(), volume_key(id));
            if settle::compare_and_swap(store, &key, revision, &encode(&record))?.is_some() {
                return Ok(record);
            }
        }
        Err(ChangeError::Store(MetadataError::Unavailable(format!("volume {id} is opened by too many"))))
    }

    /// Notes where the opener of `record`'s epoch listens, unless a later opener has done so.
    pub fn put_compute(&self, record: &VolumeRecord, listen: SocketAddr) -> Result<(), MetadataError> {
        let key = endpoint_key(record.volume);
        let value = ComputeRecord { epoch: record.epoch.0, listen };
        for _ in 0..CAS_TRIES {
            let revision = match self.read::<ComputeRecord>(&key)? {
                Some((_, later)) if later.epoch > value.epoch => return Ok(()),
                found => found.map(|(revision, _)| revision),
            };
            if settle::put(self.store.as_ref(), &key, revision, &encode(&value))?.is_some() {
                return Ok(());
            }
        }
        Err(MetadataError::Unavailable(format!("{key} changes too often")))
    }

    /// Where the volume's last opener listens.
    pub fn compute(&self, id: VolumeId) -> Result<Option<ComputeRecord>, MetadataError> {
        let found: Option<(Revision, ComputeRecord)> = match self.read(&endpoint_key(id))? {
            None => self.read(&format!("{COMPUTE_OF_FORMAT_1}{id}"))?,
            found => found,
        };
        Ok(found.map(|(_, record)| record))
    }

    /// Changes a volume's record on behalf of `writer`; refused once someone else has claimed the volume. `change` may
    /// be asked again of a record that it has changed already, so it names what is to be, not by how much.
    pub fn change_volume(
        &self,
        id: VolumeId,
        writer: WriterId,
        mut change: impl FnMut(&mut VolumeRecord),
    ) -> Result<VolumeRecord, ChangeError> {
        for _ in 0..CAS_TRIES {
            let Some((revision, mut record)) = self.volume(id)? else {
                return Err(ChangeError::UnknownVolume(id.to_string()));
            };
            if record.writer() != writer {
                return Err(ChangeError::Overtaken(record.writer()));
            }
            change(&mut record);
            let (store, key) = (self.store.as_ref(), volume_key(id));
            if settle::compare_and_swap(store, &key, revision, &encode(&record))?.is_some() {
                return Ok(record);
            }
        }
        Err(ChangeError::Store(MetadataError::Unavailable(format!("volume {id} changes too often"))))
    }

    fn write_member_pages(
        &self,
        record: &VolumeRecord,
        groups: &[GroupMembers],
        nonce: u64,
    ) -> Result<Vec<String>, ChangeError> {
        let mut keys = Vec::new();
        for (index, page) in groups.chunks(GROUPS_PER_MEMBER_PAGE).enumerate() {
            let key = format!("members/{}/{}-{index}-{nonce:016x}", record.volume, record.geometry_epoch);
            // Compact, unlike what people read: a page with changes under way must stay below the limit.
            let page = serde_json::to_vec(page).expect("records have no fallible parts");
            if settle::create(self.store.as_ref(), &key, &page)?.is_none() {
                return Err(ChangeError::NameTaken(key));
            }
            keys.push(key);
        }
        Ok(keys)
    }

    fn add_name(&self, name: &str, id: VolumeId) -> Result<(), ChangeError> {
        for _ in 0..CAS_TRIES {
            let read = self.read_names()?;
            let mut names = read.as_ref().map(|(_, names)| names.clone()).unwrap_or_default();
            match names.get(name) {
                // An earlier turn's answer was lost, and another name came after it.
                Some(named) if *named == id => return Ok(()),
                Some(_) => return Err(ChangeError::NameTaken(name.to_owned())),
                None => {}
            }
            names.insert(name.to_owned(), id);
            let revision = read.map(|(revision, _)| revision);
            if settle::put(self.store.as_ref(), NAMES, revision, &encode_names(&names))?.is_some() {
                return Ok(());
            }
        }
        Err(ChangeError::Store(MetadataError::Unavailable("volume names change too often".to_owned())))
    }

    fn read_names(&self) -> Result<Option<Names>, MetadataError> {
        let Some((revision, texts)) = self.read::<BTreeMap<String, String>>(NAMES)? else {
            return Ok(None);
        };
        let parse = |(name, text): (String, String)| {
            let id = VolumeId::parse(&text)
                .ok_or_else(|| MetadataError::Corrupt(format!("names: volume id of {name}")))?;
            Ok((name, id))
        };
        Ok(Some((revision, texts.into_iter().map(parse).collect::<Result<_, _>>()?)))
    }

    fn read<T: DeserializeOwned>(&self, key: &str) -> Result<Option<(Revision, T)>, MetadataError> {
        let Some(entry) = self.store.get(key)? else { return Ok(None) };
        Ok(Some((entry.revision, decode(key, &entry.value)?)))
    }
}

/// A group's members with their addresses, as storage wants to hear them. AZs become small numbers in the
/// order of their names.
pub fn membership(group: &GroupMembers, nodes: &[NodeRecord]) -> Result<Membership, MetadataError> {
    let zones = zones(nodes);
    let member = |record: &crate::volume::MemberRecord| {
        let node = find_node(nodes, record.node)?;
        let address = node.address(record.shard).ok_or_else(|| {
            MetadataError::Corrupt(format!("node {} has no shard {}", record.node, record.shard))
        })?;
        let az = zones.iter().position(|zone| *zone == node.az).expect("collected from the same nodes");
        let az = u8::try_from(az).map_err(|_| MetadataError::Corrupt("more than 256 zones".to_owned()))?;
        Ok(Member { segment: record.segment, node: record.node, az, address })
    };
    let members = group.members.iter().map(member).collect::<Result<_, MetadataError>>()?;
    Ok(Membership::of(group.membership_epoch, members))
}

/// Names of all availability zones, sorted: a zone's number is its place here.
pub fn zones(nodes: &[NodeRecord]) -> Vec<&str> {
    let mut zones: Vec<&str> = nodes.iter().map(|node| node.az.as_str()).collect();
    zones.sort_unstable();
    zones.dedup();
    zones
}

fn find_node(nodes: &[NodeRecord], id: NodeId) -> Result<&NodeRecord, MetadataError> {
    let found = nodes.iter().find(|node| node.node == id);
    found.ok_or_else(|| MetadataError::Corrupt(format!("node {id} has no record")))
}

fn volume_key(id: VolumeId) -> String {
    format!("volume/{id}")
}

fn endpoint_key(id: VolumeId) -> String {
    format!("endpoint/{id}/writer")
}

fn encode_names(names: &BTreeMap<String, VolumeId>) -> Vec<u8> {
    encode(&names.iter().map(|(name, id)| (name.clone(), id.to_string())).collect::<BTreeMap<_, _>>())
}

fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec_pretty(value).expect("records have no map keys but strings and no fallible parts")
}

fn decode<T: DeserializeOwned>(key: &str, value: &[u8]) -> Result<T, MetadataError> {
    serde_json::from_slice(value).map_err(|error| MetadataError::Corrupt(format!("{key}: {error}")))
}
