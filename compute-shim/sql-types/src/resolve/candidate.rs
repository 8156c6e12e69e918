//! Choosing among candidates by their declared types and the actual ones.
//!
//! Owns the elimination steps that PostgreSQL 15 documents for operators and functions alike (sections 10.2 and 10.3).
//! Read next: `mod.rs`, which gathers the candidates.

use super::can_coerce;
use super::polymorphic::is_consistent;
use crate::cast::CastContext;
use crate::types::{TypeCategory, TypeId};

/// What is left after the elimination.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// The index of the one.
    One(usize),
    /// None fits.
    None,
    /// More than one is as good.
    Many,
}

/// A candidate that is still in: its index and declared types.
type Entry<'a> = (usize, &'a [TypeId]);

/// Runs the elimination. Each candidate has as many declared types as there are actual ones.
pub(super) fn choose(candidates: &[Vec<TypeId>], actual: &[TypeId]) -> Choice {
    let accepts = |declared: &[TypeId]| {
        assert_eq!(declared.len(), actual.len(), "callers expand candidates to the call");
        declared.iter().zip(actual).all(|(&to, &from)| can_coerce(from, to, CastContext::Implicit))
            && is_consistent(declared, actual)
    };
    let mut left: Vec<Entry<'_>> = candidates
        .iter()
        .enumerate()
        .filter(|(_, declared)| accepts(declared))
        .map(|(at, declared)| (at, declared.as_slice()))
        .collect();
    if let Some(choice) = decided(&left) {
        return choice;
    }
    let known = |id: TypeId| id != TypeId::UNKNOWN;
    keep_best(&mut left, |declared| {
        declared.iter().zip(actual).filter(|&(&to, &from)| known(from) && to == from).count()
    });
    if left.len() == 1 {
        return Choice::One(left[0].0);
    }
    keep_best(&mut left, |declared| {
        let fits =
            |to: TypeId, from: TypeId| to == from || (to.is_preferred() && to.category() == from.category());
        declared.iter().zip(actual).filter(|&(&to, &from)| known(from) && fits(to, from)).count()
    });
    if left.len() == 1 {
        return Choice::One(left[0].0);
    }
    if actual.iter().copied().all(known) {
        return Choice::Many;
    }
    by_category(&mut left, actual);
    if left.len() == 1 {
        return Choice::One(left[0].0);
    }
    by_known_type(&left, actual)
}

fn decided(left: &[Entry<'_>]) -> Option<Choice> {
    match left {
        [] => Some(Choice::None),
        [(at, _)] => Some(Choice::One(*at)),
        _ => None,
    }
}

/// Keeps the candidates with the highest score.
fn keep_best(left: &mut Vec<Entry<'_>>, score: impl Fn(&[TypeId]) -> usize) {
    let best = left.iter().map(|(_, declared)| score(declared)).max().unwrap_or(0);
    left.retain(|(_, declared)| score(declared) == best);
    assert!(!left.is_empty(), "the best is among them");
}

/// The category that the candidates want where the type is unknown: the one they agree on, or strings if any takes one;
/// and whether any of them takes its preferred type.
fn wanted_category(left: &[Entry<'_>], at: usize) -> Option<(TypeCategory, bool)> {
    let types = || left.iter().map(|(_, declared)| declared[at]);
    let first = types().next()?.category();
    let category = if types().any(|id| id.category() == TypeCategory::String) {
        TypeCategory::String
    } else if types().all(|id| id.category() == first) {
        first
    } else {
        return None;
    };
    let preferred = types().any(|id| id.category() == category && id.is_preferred());
    Some((category, preferred))
}

/// Drops the candidates that take an unknown argument as another category, or not as its preferred type.
fn by_category(left: &mut Vec<Entry<'_>>, actual: &[TypeId]) {
    let unknown = (0..actual.len()).filter(|&at| actual[at] == TypeId::UNKNOWN);
    let Some(wanted) =
        unknown.map(|at| wanted_category(left, at).map(|wanted| (at, wanted))).collect::<Option<Vec<_>>>()
    else {
        return;
    };
    let fits = |declared: &[TypeId]| {
        wanted.iter().all(|&(at, (category, preferred))| {
            declared[at].category() == category && (!preferred || declared[at].is_preferred())
        })
    };
    if left.iter().any(|(_, declared)| fits(declared)) {
        left.retain(|(_, declared)| fits(declared));
    }
}

/// If all known arguments are of one type, the unknown ones are taken to be of it too.
fn by_known_type(left: &[Entry<'_>], actual: &[TypeId]) -> Choice {
    let mut known = actual.iter().copied().filter(|&id| id != TypeId::UNKNOWN);
    let Some(first) = known.next() else {
        return Choice::Many;
    };
    if known.any(|id| id != first) {
        return Choice::Many;
    }
    let assumed = vec![first; actual.len()];
    let accepts = |declared: &[TypeId]| {
        declared.iter().all(|&to| can_coerce(first, to, CastContext::Implicit))
            && is_consistent(declared, &assumed)
    };
    let mut fitting = left.iter().filter(|(_, declared)| accepts(declared));
    match (fitting.next(), fitting.next()) {
        (Some((at, _)), None) => Choice::One(*at),
        _ => Choice::Many,
    }
}
