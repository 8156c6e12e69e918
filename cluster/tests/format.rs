//! The records' bytes, as `docs/metadata-format.md` shows them, and files of older formats.
#![allow(clippy::disallowed_methods)] // Not a core: tests copy files.

use hexalog_cluster::catalog::{BackupRecord, Catalog};
use hexalog_cluster::lease::Candidate;
use hexalog_cluster::node::HeartbeatRecord;
use hexalog_cluster::{
    GroupMembers, MemberRecord, Metadata, MetadataError, NodeRecord, SqliteMetadata, VolumeRecord,
};
use hexalog_protocol::{
    GeometryEpoch, GroupId, Incarnation, MembershipEpoch, NodeId, SegmentId, ShardIndex, VolumeEpoch,
    VolumeId,
};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const VOLUME: &str = "db149384f9db384c40eacd18e974bcc6";

fn volume() -> VolumeId {
    VolumeId::parse(VOLUME).expect("an id")
}

/// A copy of a metadata file that `hexalog local` made when records had format 1, opened once by a compute.
fn recorded(dir: &Path) -> Arc<dyn Metadata> {
    let file = dir.join("metadata.sqlite");
    let recorded = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded/format-1.sqlite");
    std::fs::copy(recorded, &file).expect("copies");
    Arc::new(SqliteMetadata::open(&file).expect("opens"))
}

fn keys(store: &dyn Metadata) -> Vec<String> {
    store.list("").expect("list").into_iter().map(|entry| entry.key).collect()
}

#[test]
fn a_file_of_format_1_opens_and_is_brought_up() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let store = recorded(dir.path());
    let catalog = Catalog::new(Arc::clone(&store));
    let check = |format: u32| {
        let cluster = catalog.cluster().expect("known").expect("there");
        assert_eq!((cluster.cluster.as_str(), cluster.format), ("64da60f06f422c9b548d5a8945050aed", format));
        assert_eq!(catalog.volume_id("main").expect("named"), volume());
        let (_, record) = catalog.volume(volume()).expect("reads").expect("there");
        assert_eq!((record.epoch, record.groups), (VolumeEpoch(1), 8));
        let members = catalog.members(&record).expect("members");
        assert!(members.iter().all(|group| group.members.len() == 6));
        let nodes = catalog.nodes().expect("nodes");
        assert_eq!(nodes.len(), 6);
        assert_eq!((nodes[0].port, nodes[0].capacity_bytes), (23_702, 0));
        let compute = catalog.compute(volume()).expect("reads").expect("opened once");
        assert_eq!((compute.epoch, compute.listen.port()), (1, 5999));
    };
    check(1);
    catalog.upgrade().expect("upgrades");
    check(2);
    assert!(keys(&*store).iter().all(|key| !key.starts_with("compute/")), "{:?}", keys(&*store));
    let before = store.list("").expect("list");
    catalog.upgrade().expect("nothing is left to do");
    assert_eq!(store.list("").expect("list"), before);
    // And it goes on as any other.
    let record = catalog.claim_volume(volume(), Incarnation(9)).expect("claims");
    catalog.put_compute(&record, "127.0.0.1:1".parse().expect("address")).expect("writes");
    assert_eq!(catalog.compute(volume()).expect("reads").expect("there").epoch, 2);
}

/// An upgrade that died after any of its steps, and one that another did at the same time.
#[test]
fn an_upgrade_may_die_anywhere() {
    let old = format!("compute/{VOLUME}");
    let new = format!("endpoint/{VOLUME}/writer");
    for steps in 0..=2 {
        let dir = tempfile::tempdir().expect("temporary directory");
        let store = recorded(dir.path());
        let entry = store.get(&old).expect("get").expect("there");
        if steps >= 1 {
            store.create(&new, &entry.value).expect("create").expect("absent");
        }
        if steps >= 2 {
            assert!(store.remove(&old, entry.revision).expect("remove"));
        }
        let catalog = Catalog::new(Arc::clone(&store));
        assert!(catalog.compute(volume()).expect("reads").is_some(), "after {steps} steps it is still found");
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| catalog.upgrade().expect("upgrades"));
            }
        });
        assert_eq!(store.get(&new).expect("get").expect("there").value, entry.value);
        assert_eq!(store.get(&old).expect("get"), None);
        assert_eq!(catalog.cluster().expect("known").expect("there").format, 2);
    }
}

#[test]
fn a_newer_format_is_refused() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let store = recorded(dir.path());
    let entry = store.get("cluster").expect("get").expect("there");
    let newer = br#"{"cluster": "64da60f06f422c9b548d5a8945050aed", "format": 3}"#;
    store.compare_and_swap("cluster", entry.revision, newer).expect("cas").expect("unchanged");
    let catalog = Catalog::new(store);
    for outcome in [catalog.cluster().map(drop), catalog.upgrade(), catalog.create_cluster("x").map(drop)] {
        let Err(MetadataError::Corrupt(why)) = outcome else { panic!("{outcome:?}") };
        assert!(why.contains("records of format 3"), "{why}");
    }
}

/// Each record as the catalog writes it, white space aside, beside what the document shows.
#[test]
fn records_are_as_documented() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let store = SqliteMetadata::open_or_create(&dir.path().join("m.sqlite")).expect("opens");
    let catalog = Catalog::new(Arc::new(store));
    write_examples(&catalog);
    let written: BTreeMap<String, serde_json::Value> = catalog
        .store()
        .list("")
        .expect("list")
        .into_iter()
        .map(|entry| (entry.key, serde_json::from_slice(&entry.value).expect("JSON")))
        .collect();
    let documented = examples(include_str!("../../docs/metadata-format.md"));
    assert_eq!(written, documented);
}

fn write_examples(catalog: &Catalog) {
    let address = "10.0.0.9:5433".parse().expect("address");
    catalog.create_cluster("64da60f06f422c9b548d5a8945050aed").expect("writes");
    let node = NodeRecord {
        node: NodeId(3),
        az: "b".to_owned(),
        host: "10.0.0.3".parse().expect("address"),
        port: 7001,
        shards: 4,
        capacity_bytes: 1 << 40,
    };
    catalog.put_node(&node).expect("writes");
    let heartbeat =
        HeartbeatRecord { node: NodeId(3), count: 17, unix_ms: 1_700_000_000_123, used_bytes: 1 << 30 };
    catalog.put_heartbeat(&heartbeat).expect("writes");
    let record = VolumeRecord {
        volume: volume(),
        epoch: VolumeEpoch(0),
        incarnation: Incarnation(0),
        geometry_epoch: GeometryEpoch(1),
        pages_per_group: 1_310_720,
        groups: 1,
        lal_records: 65_536,
        lal_bytes: 32 << 20,
        member_pages: Vec::new(),
    };
    let member = MemberRecord { segment: SegmentId(0xff), node: NodeId(3), shard: ShardIndex(2) };
    let group =
        GroupMembers { group: GroupId(0), membership_epoch: MembershipEpoch(1), members: vec![member] };
    catalog.create_volume("main", record, &[group], 0xc08f).expect("writes");
    let record = catalog.claim_volume(volume(), Incarnation(0x02fd_5e42_d49c_82a3)).expect("claims");
    catalog.put_compute(&record, address).expect("writes");
    let backup = BackupRecord { location: "s3://bucket/cluster".to_owned(), manifest: 41 };
    catalog.put_backup(volume(), &backup).expect("writes");
    let store = Arc::clone(catalog.store());
    let mut candidate = Candidate::new(store, "controller", 0xabc, "node 3", Duration::from_secs(10));
    candidate.step().expect("takes it");
}

/// The blocks of the document that follow a heading with a key: `### `key``, then the JSON value.
fn examples(document: &str) -> BTreeMap<String, serde_json::Value> {
    let sections = document.split("\n### `").skip(1);
    let example = |section: &str| {
        let (key, rest) = section.split_once('`').expect("a key");
        let json =
            rest.split("```json").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
        (key.to_owned(), serde_json::from_str(json).unwrap_or_else(|error| panic!("{key}: {error}")))
    };
    sections.map(example).collect()
}
