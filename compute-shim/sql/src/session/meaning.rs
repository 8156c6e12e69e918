//! What the names in a plan meant when it was made, and whether they mean it still.
//!
//! Owns [`Meaning`]. A plan that is kept is good for another execution while that is so; what others change of objects that it
//! has nothing to do with does not matter (`catalog/moved.rs`).

use super::transaction::Scope;
use crate::catalog::moved::concern_nothing;
use crate::catalog::object::Oid;
use crate::plan::Plan;

/// What the names in a plan meant: a plan is good for another execution while this is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Meaning {
    catalog_version: u64,
    /// Distinguishes views with uncommitted definitions, which share their base's version.
    private: Option<u64>,
    settings_version: u64,
}

impl Scope {
    /// What names mean now.
    pub(super) fn meaning(&self) -> Meaning {
        let catalog = self.view.catalog();
        Meaning {
            catalog_version: catalog.version,
            private: catalog.is_private.then_some(self.private_views),
            settings_version: self.view.settings.version(),
        }
    }

    /// Whether a plan that was made when names meant that still does what the statement of this text means.
    pub(super) fn still_means(&self, meant: Meaning, plan: &Plan, text: &str) -> bool {
        let now = self.meaning();
        let is_of_others = meant.private.is_none() && now.private.is_none();
        if meant == now || meant.settings_version != now.settings_version || !is_of_others {
            return meant == now;
        }
        let (from, to) = (meant.catalog_version, now.catalog_version);
        let Some(moved) = (from < to).then(|| self.view.published.moved_between(from, to)).flatten() else {
            return false;
        };
        let relations: Vec<Oid> = plan.relations.iter().map(|&(relation, _)| relation).collect();
        concern_nothing(&moved, &relations, text)
    }
}
