//! Views that rest on what falls.
//!
//! Owns [`Dependents`]: the views found, from the ones directly above to those above them, in PostgreSQL's order and
//! words.

use super::DefinitionContext;
use super::drop::shown;
use super::lookup;
use super::replay::Replay;
use crate::catalog::object::{Oid, View};
use crate::catalog::{Catalog, Relation};
use crate::stop::Step;
use hexalog_engine::RelationLockMode;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Views that rest on something.
#[derive(Clone, Debug, Default)]
pub(super) struct Dependents {
    pub views: BTreeMap<Oid, Arc<View>>,
    /// Those that were not asked to fall: how messages call each, and what it rests on.
    pub found: Vec<(String, String)>,
}

impl Dependents {
    /// A view that falls because it was named.
    pub(super) fn add(&mut self, view: Arc<View>) {
        self.views.insert(view.oid, view);
    }

    /// Finds what rests on something, and what rests on that; `on` is how messages call it.
    pub(super) fn follow(
        &mut self,
        context: &DefinitionContext<'_>,
        catalog: &Catalog,
        on: &str,
        rests: &dyn Fn(&View) -> bool,
    ) {
        for view in catalog.views().filter(|view| rests(view)) {
            if self.views.contains_key(&view.oid) {
                continue;
            }
            let name = format!("view {}", shown(context, catalog, &Relation::View(view.clone())));
            self.views.insert(view.oid, view.clone());
            self.found.push((name.clone(), on.to_owned()));
            self.follow(context, catalog, &name, &|above| above.reads(view.oid));
        }
    }

    /// The same, without words.
    pub(super) fn follow_all(&mut self, catalog: &Catalog, relation: Oid) {
        for view in catalog.views().filter(|view| view.reads(relation)) {
            if self.views.insert(view.oid, view.clone()).is_none() {
                self.follow_all(catalog, view.oid);
            }
        }
    }

    /// `view v depends on table t`, for RESTRICT.
    pub(super) fn lines(&self) -> impl Iterator<Item = String> {
        self.found.iter().map(|(what, on)| format!("{what} depends on {on}"))
    }
}

/// Locks all views that rest on relations, until no more are found: none can come on top of them afterwards.
pub(super) fn lock_views(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    relations: &[Oid],
) -> Step<()> {
    let mut held: BTreeSet<Oid> = BTreeSet::new();
    loop {
        let found: Vec<Oid> = replay.once(context, |context| {
            let catalog = context.newest();
            let mut all = Dependents::default();
            relations.iter().for_each(|&relation| all.follow_all(&catalog, relation));
            Ok(all.views.into_keys().collect())
        })?;
        let new: Vec<Oid> = found.into_iter().filter(|oid| !held.contains(oid)).collect();
        if new.is_empty() {
            return Ok(());
        }
        for oid in new {
            lookup::lock(replay, context, oid, RelationLockMode::AccessExclusive)?;
            held.insert(oid);
        }
    }
}
