//! Typed records: creation order, claims that race, member pages of large volumes.

use hexalog_cluster::catalog::{BackupRecord, Catalog, ChangeError, membership, zones};
use hexalog_cluster::node::HeartbeatRecord;
use hexalog_cluster::{GroupMembers, MemberRecord, Metadata, NodeRecord, SqliteMetadata, VolumeRecord};
use hexalog_protocol::ids::WriterId;
use hexalog_protocol::{
    GeometryEpoch, GroupId, Incarnation, MembershipEpoch, NodeId, SegmentId, ShardIndex, VolumeEpoch,
    VolumeId,
};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const VOLUME: VolumeId = VolumeId([0xab; 16]);

fn store(dir: &Path) -> Arc<dyn Metadata> {
    Arc::new(SqliteMetadata::open_or_create(&dir.join("m.sqlite")).expect("opens"))
}

fn record(groups: u32) -> VolumeRecord {
    VolumeRecord {
        volume: VOLUME,
        epoch: VolumeEpoch(0),
        incarnation: Incarnation(0),
        geometry_epoch: GeometryEpoch(1),
        pages_per_group: 1_310_720,
        groups,
        lal_records: 65_536,
        lal_bytes: 32 << 20,
        member_pages: vec![],
    }
}

fn groups(count: u32) -> Vec<GroupMembers> {
    let members = |group: u32| {
        (1..=6)
            .map(|node| MemberRecord {
                segment: SegmentId(u64::MAX - u64::from(group * 6 + node)),
                node: NodeId(node),
                shard: ShardIndex(0),
            })
            .collect()
    };
    (0..count)
        .map(|group| GroupMembers {
            group: GroupId(group),
            membership_epoch: MembershipEpoch(1),
            members: members(group),
        })
        .collect()
}

fn nodes() -> Vec<NodeRecord> {
    (1..=6)
        .map(|node| NodeRecord {
            node: NodeId(node),
            az: ["a", "b", "c"][(node as usize - 1) / 2].to_owned(),
            host: "127.0.0.1".parse().expect("address"),
            port: 7000 + node as u16 * 10,
            shards: 1,
            capacity_bytes: 0,
        })
        .collect()
}

#[test]
fn a_volume_is_found_by_name_with_all_its_members() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let catalog = Catalog::new(store(dir.path()));
    assert!(matches!(catalog.volume_id("main"), Err(ChangeError::UnknownVolume(_))));
    for node in nodes() {
        catalog.put_node(&node).expect("node");
        catalog.put_node(&node).expect("node again");
    }
    // 600 groups are three pages.
    let written = catalog.create_volume("main", record(600), &groups(600), 1).expect("creates");
    assert_eq!(written.member_pages.len(), 3);
    let (_, found) = catalog.volume(catalog.volume_id("main").expect("named")).expect("read").expect("there");
    assert_eq!(found, written);
    assert_eq!(catalog.members(&found).expect("members"), groups(600));
    assert_eq!(catalog.nodes().expect("nodes"), nodes());
    let again = catalog.create_volume("main", record(1), &groups(1), 2);
    assert!(matches!(again, Err(ChangeError::NameTaken(_))), "{again:?}");
}

#[test]
fn members_have_addresses_and_zones() {
    let nodes = nodes();
    assert_eq!(zones(&nodes), ["a", "b", "c"]);
    let membership = membership(&groups(1)[0], &nodes).expect("all nodes known");
    let told: Vec<(u8, u16)> = membership.members.iter().map(|m| (m.az, m.address.port())).collect();
    assert_eq!(told, [(0, 7010), (0, 7020), (1, 7030), (1, 7040), (2, 7050), (2, 7060)]);
}

#[test]
fn racing_claims_get_an_epoch_each_and_the_loser_can_change_nothing() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let catalog = Catalog::new(store(dir.path()));
    catalog.create_volume("main", record(1), &groups(1), 1).expect("creates");
    let mut claims: Vec<WriterId> = std::thread::scope(|scope| {
        let openers: Vec<_> = (1..=4)
            .map(|opener| {
                let dir = dir.path();
                scope.spawn(move || {
                    let catalog = Catalog::new(store(dir));
                    (0..5)
                        .map(|_| catalog.claim_volume(VOLUME, Incarnation(opener)).expect("claims").writer())
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        openers.into_iter().flat_map(|opener| opener.join().expect("opener")).collect()
    });
    claims.sort_by_key(|claim| claim.epoch);
    let epochs: Vec<u64> = claims.iter().map(|claim| claim.epoch.0).collect();
    assert_eq!(epochs, (1..=20).collect::<Vec<_>>(), "every claim has an epoch of its own");
    let (winner, losers) = claims.split_last().expect("twenty claims");
    for loser in losers {
        let outcome = catalog.change_volume(VOLUME, *loser, |record| record.groups = 99);
        assert_eq!(outcome, Err(ChangeError::Overtaken(*winner)));
    }
    let changed = catalog.change_volume(VOLUME, *winner, |record| record.lal_records = 7).expect("changes");
    assert_eq!((changed.lal_records, changed.groups), (7, 1));
}

#[test]
fn signs_of_life_and_backups_are_kept_beside_their_owners() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let catalog = Catalog::new(store(dir.path()));
    for node in nodes() {
        catalog.put_node(&node).expect("node");
    }
    let beat = |count| HeartbeatRecord { node: NodeId(2), count, unix_ms: 5, used_bytes: 7 };
    let mut watch = catalog.store().watch("node/").expect("watch");
    catalog.put_heartbeat(&beat(1)).expect("heartbeat");
    catalog.put_heartbeat(&beat(2)).expect("heartbeat");
    assert_eq!(catalog.heartbeats().expect("heartbeats"), [beat(2)]);
    assert_eq!(watch.next(Duration::ZERO).expect("watch"), [], "it wakes nobody who watches the daemons");
    catalog.remove_node(NodeId(2)).expect("removes");
    catalog.remove_node(NodeId(2)).expect("removes what is not there");
    assert_eq!(catalog.heartbeats().expect("heartbeats"), []);
    assert_eq!(catalog.nodes().expect("nodes").len(), 5);
    assert_eq!(catalog.backup(VOLUME).expect("reads"), None);
    let backup = |manifest| BackupRecord { location: "s3://bucket/path".to_owned(), manifest };
    catalog.put_backup(VOLUME, &backup(1)).expect("writes");
    catalog.put_backup(VOLUME, &backup(2)).expect("writes");
    assert_eq!(catalog.backup(VOLUME).expect("reads"), Some(backup(2)));
}

/// In the midst of changes a group has up to eight members, and every number may be as long as it can be.
#[test]
fn a_page_of_256_groups_fits_every_backend() {
    let member =
        MemberRecord { segment: SegmentId(u64::MAX), node: NodeId(u32::MAX), shard: ShardIndex(u16::MAX) };
    let group = |group: u32| GroupMembers {
        group: GroupId(group),
        membership_epoch: MembershipEpoch(u64::MAX),
        members: vec![member.clone(); 8],
    };
    let dir = tempfile::tempdir().expect("temporary directory");
    let catalog = Catalog::new(store(dir.path()));
    let groups: Vec<GroupMembers> = (0..13_108).map(group).collect();
    // 128 TiB in groups of 10 GiB.
    let written = catalog.create_volume("main", record(13_108), &groups, u64::MAX).expect("all pages fit");
    assert_eq!(written.member_pages.len(), 52);
    assert_eq!(catalog.members(&written).expect("members"), groups);
}
