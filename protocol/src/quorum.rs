//! How many members of a group must agree. Sizes are data, never constants in the rules.

/// Quorum sizes of one member set.
///
/// Invariant: any write quorum meets any recovery read quorum (`write + read > members`), and two write
/// quorums meet (`2 * write > members`), so two openers cannot both fence a group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QuorumModel {
    /// Size of the member set.
    pub members: u8,
    /// Members that must have a record before it counts as durable, or be fenced before a volume is open.
    pub write: u8,
    /// Undamaged members that must answer before recovery may conclude what was durable.
    pub read: u8,
}

impl QuorumModel {
    /// Two members in each of three availability zones: survives an AZ for writes, AZ+1 for reads.
    pub const FOUR_OF_SIX: QuorumModel = QuorumModel::new(6, 4, 3);

    /// Checks the overlap rules.
    ///
    /// # Panics
    /// If two quorums could miss each other.
    pub const fn new(members: u8, write: u8, read: u8) -> QuorumModel {
        assert!(write + read > members, "a recovery read must meet every write quorum");
        assert!(2 * write > members, "two write quorums must meet");
        assert!(write <= members);
        QuorumModel { members, write, read }
    }

    /// The highest value that at least `write` members have reached; `values` is reordered.
    /// `None` while fewer than `write` members are known.
    pub fn reached<T: Ord + Copy>(self, values: &mut [T]) -> Option<T> {
        let need = usize::from(self.write);
        if values.len() < need {
            return None;
        }
        values.sort_unstable_by(|a, b| b.cmp(a));
        Some(values[need - 1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reached_is_the_fourth_highest() {
        let model = QuorumModel::FOUR_OF_SIX;
        assert_eq!(model.reached(&mut [5, 9, 7, 1, 3, 8]), Some(5));
        assert_eq!(model.reached(&mut [5, 9, 7]), None);
    }
}
