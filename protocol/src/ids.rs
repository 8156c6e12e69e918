//! Ids, LSNs and epochs as newtypes, so that no two kinds of number can be mixed up.
//!
//! All are plain little-endian integers on the wire and on disk.

use core::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty), $format:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub $inner);

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, $format, self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}

id!(
    /// Log sequence number: the place of one redo record in its volume's log. Dense but for truncation
    /// ranges ([`crate::history`]). [`Lsn::ZERO`] comes before every record and means "none" in a backlink.
    Lsn(u64), "lsn{}");
id!(
    /// A page of a volume. Its group is `page / pages_per_group` ([`crate::geometry`]).
    PageId(u64), "page{}");
id!(
    /// A protection group: a fixed-size slice of a volume's pages, replicated as six segments.
    GroupId(u32), "group{}");
id!(
    /// One replica of a protection group. Unique over all time, so that a replaced member can never be
    /// mistaken for its successor.
    SegmentId(u64), "segment{}");
id!(
    /// A storage daemon, in the metadata service.
    NodeId(u32), "node{}");
id!(
    /// A shard within its daemon: a log region with its machine and segments.
    ShardIndex(u16), "shard{}");
id!(
    /// Random identity of a formatted device, written into every block so that a misdirected or foreign
    /// block is recognised.
    DeviceId(u64), "device{:x}");
id!(
    /// Counts the openings of a volume for writing. Fences an old writer.
    VolumeEpoch(u64), "epoch{}");
id!(
    /// Random number drawn by each opener, so that two openers that claim the same [`VolumeEpoch`] are
    /// told apart.
    Incarnation(u64), "incarnation{:x}");
id!(
    /// Counts the changes of one group's member set. Fences an old member.
    MembershipEpoch(u64), "membership{}");

impl MembershipEpoch {
    /// Of a group whose members never changed.
    pub const FIRST: MembershipEpoch = MembershipEpoch(1);
}
id!(
    /// Counts the changes of a volume's layout of groups.
    GeometryEpoch(u64), "geometry{}");

/// A volume's identity: 16 random bytes, drawn at creation. A restored volume or a clone gets a new one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct VolumeId(pub [u8; 16]);

impl fmt::Debug for VolumeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "volume-")?;
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for VolumeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl VolumeId {
    /// Parses the 32 hexadecimal digits that `Display` prints.
    pub fn parse(text: &str) -> Option<VolumeId> {
        let mut id = [0; 16];
        if text.len() != 32 || !text.is_ascii() {
            return None;
        }
        for (byte, digits) in id.iter_mut().zip(text.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(core::str::from_utf8(digits).ok()?, 16).ok()?;
        }
        Some(VolumeId(id))
    }
}

impl Lsn {
    /// Before every record; "none" in a backlink.
    pub const ZERO: Lsn = Lsn(0);
    /// After every record; a bound in searches, never written.
    pub const MAX: Lsn = Lsn(u64::MAX);

    /// The LSN `count` further on. Ignores truncation ranges: see [`crate::history::EpochHistory::next_lsn`].
    #[must_use]
    pub fn plus(self, count: u64) -> Lsn {
        Lsn(self.0.checked_add(count).expect("LSN space is 2^64"))
    }

    /// How far `self` is above `earlier`; zero if it is not.
    pub fn since(self, earlier: Lsn) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A writer's claim to a volume: the epoch it opened and the incarnation it drew. Both must match, always.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub struct WriterId {
    /// The epoch that the writer's opening installed.
    pub epoch: VolumeEpoch,
    /// Tells two openers of the same epoch apart.
    pub incarnation: Incarnation,
}
