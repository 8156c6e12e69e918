//! Checker: a document is one that somebody wrote, whole, and of a transaction that neither failed nor took it back.
//!
//! Long ones lie in chains of pages of their own, which an update leaves behind and purge frees: a reader that meets half of
//! two versions, or another row's pages, sees text that no version stands for.

use super::{Violation, violation};
use crate::history::{DocumentVersion, History, Op, Outcome, Txn, TxnId};
use std::collections::BTreeMap;

struct Written {
    by: TxnId,
    id: u32,
    is_taken_back: bool,
}

pub(super) fn check(history: &History) -> Result<(), Violation> {
    let mut versions: BTreeMap<DocumentVersion, Written> = BTreeMap::new();
    for (by, txn) in history.txns.iter().enumerate() {
        for (op, is_taken_back) in txn.ops_before(txn.ops.len()) {
            if let Op::WriteDocument { id, version } = op {
                versions.insert(*version, Written { by, id: *id, is_taken_back });
            }
        }
    }
    for (reader, txn) in history.txns.iter().enumerate() {
        for (at, op) in txn.ops.iter().enumerate() {
            let Op::ReadDocuments { from, to, documents } = op else { continue };
            for (id, version) in documents {
                check_version(history, &versions, reader, at, *id, *version)?;
            }
            for id in *from..*to {
                check_own(txn, reader, at, id, documents.get(&id).copied().flatten())?;
            }
        }
    }
    Ok(())
}

fn check_version(
    history: &History,
    versions: &BTreeMap<DocumentVersion, Written>,
    reader: TxnId,
    at: usize,
    id: u32,
    version: Option<DocumentVersion>,
) -> Result<(), Violation> {
    let Some(version) = version else {
        return violation("documents", format!("transaction {reader} read document {id}, and it is torn"));
    };
    let Some(written) = versions.get(&version).filter(|written| written.id == id) else {
        let what =
            format!("transaction {reader} read version {version} of document {id}, which nobody wrote there");
        return violation("documents", what);
    };
    let by = written.by;
    if by != reader && (written.is_taken_back || history.txns[by].outcome == Outcome::Fail) {
        let what = format!(
            "transaction {reader} read version {version} of document {id}, which transaction {by} had not committed"
        );
        return violation("documents", what);
    }
    let is_own = |(op, is_taken_back): (&Op, bool)| {
        matches!(op, Op::WriteDocument { version: own, .. } if *own == version) && !is_taken_back
    };
    if by == reader && !history.txns[reader].ops_before(at).any(is_own) {
        let what =
            format!("transaction {reader} read version {version} of document {id}, which it had taken back");
        return violation("savepoint", what);
    }
    Ok(())
}

/// What a transaction wrote last it reads.
fn check_own(
    txn: &Txn,
    reader: TxnId,
    at: usize,
    id: u32,
    read: Option<DocumentVersion>,
) -> Result<(), Violation> {
    let own = txn.ops_before(at).filter(|(_, is_taken_back)| !is_taken_back).filter_map(|(op, _)| match op {
        Op::WriteDocument { id: other, version } if *other == id => Some(Some(*version)),
        Op::DeleteDocument { id: other } if *other == id => Some(None),
        _ => None,
    });
    match own.last() {
        // A deletion may have met no row that it saw.
        Some(Some(version)) if read != Some(version) => {
            let what =
                format!("transaction {reader} wrote version {version} of document {id} and read {read:?}");
            violation("documents", what)
        }
        _ => Ok(()),
    }
}
