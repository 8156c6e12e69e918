//! The layout of a volume: which group holds which page.

use crate::{GroupId, PageId};

/// Pages are dealt out in order: group 0 holds the first `pages_per_group` pages, and so on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Geometry {
    /// Size of a group in pages (10 GiB = 1,310,720; smaller in tests). Fixed for the volume's life.
    pub pages_per_group: u64,
    /// How many groups there are.
    pub groups: u32,
}

impl Geometry {
    /// The group that holds `page`; it may lie beyond the volume's end.
    pub fn group_of(&self, page: PageId) -> GroupId {
        debug_assert!(self.pages_per_group > 0);
        GroupId(u32::try_from(page.0 / self.pages_per_group).unwrap_or(u32::MAX))
    }

    /// The first page of `group`.
    pub fn first_page(&self, group: GroupId) -> PageId {
        PageId(u64::from(group.0) * self.pages_per_group)
    }

    /// Pages in the volume.
    pub fn pages(&self) -> u64 {
        self.pages_per_group * u64::from(self.groups)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_dealt_out_in_order() {
        let geometry = Geometry { pages_per_group: 64, groups: 3 };
        assert_eq!(geometry.pages(), 192);
        for (page, group) in [(0, 0), (63, 0), (64, 1), (127, 1), (191, 2), (192, 3)] {
            assert_eq!(geometry.group_of(PageId(page)), GroupId(group), "page {page}");
        }
        for (group, first) in [(0, 0), (1, 64), (2, 128), (u32::MAX, 64 * u64::from(u32::MAX))] {
            assert_eq!(geometry.first_page(GroupId(group)), PageId(first), "group {group}");
        }
        assert_eq!(geometry.group_of(PageId(u64::MAX)), GroupId(u32::MAX), "beyond all groups");
    }
}
