//! Which version of a row a snapshot sees.
//!
//! Owns the rule of brief invariant 9: a version of transaction T is visible at snapshot S iff commit_lsn(T)
//! <= S; an own version iff its undo offset lies below the statement's command id. A version that is not
//! visible is turned into the one before it by its undo record. Readers step over versions of losers and
//! aborted transactions the same way; only writers undo them.

use crate::access::Access;
use crate::error::{EngineError, Step};
use crate::layout::tree_page::RowHeader;
use crate::layout::undo_record::UndoRecord;
use crate::transaction::Transaction;
use crate::types::RowVersion;
use crate::undo::status::TxStatus;

impl Access<'_> {
    /// Turns the newest version of a row (`header`, `body`) into the one that the transaction's statement
    /// sees. False: it sees none.
    pub fn resolve(
        &mut self,
        txn: &mut Transaction,
        header: &mut RowHeader,
        body: &mut Vec<u8>,
    ) -> Step<bool> {
        loop {
            if self.is_visible(txn, header.version)? {
                return Ok(!header.is_deleted());
            }
            self.note_skipped(txn, header.version.tx_id)?;
            if !self.step_back(txn, header, body)? {
                return Ok(false);
            }
        }
    }

    /// Whether the transaction's statement sees a version, deletions included.
    pub(crate) fn is_visible(&mut self, txn: &Transaction, version: RowVersion) -> Step<bool> {
        if txn.is_own(version.tx_id) {
            return Ok(version.undo < txn.command_id);
        }
        Ok(match self.status(version.tx_id)? {
            TxStatus::Committed(lsn) => lsn <= txn.read_point(),
            TxStatus::InProgress(_) | TxStatus::Undoing | TxStatus::Aborted => false,
        })
    }

    /// Goes one version back. False: there is none, the row was inserted by this one.
    fn step_back(&mut self, txn: &mut Transaction, header: &mut RowHeader, body: &mut Vec<u8>) -> Step<bool> {
        let mut record = std::mem::take(&mut txn.undo_buffer);
        let version = header.version;
        let found = self.undo_record(version.tx_id.stream(), version.undo, &mut record);
        let result = found.and_then(|()| match UndoRecord::decode(&record) {
            // A row that was built into its tree has the tree's own record.
            Ok(UndoRecord::Insert { .. } | UndoRecord::Created { .. }) => Ok(false),
            Ok(UndoRecord::Change(change)) => {
                let restored = change.body.restore(body);
                *header = change.previous;
                restored.map(|()| true).map_err(|_| self.bad_undo(txn))
            }
            _ => Err(self.bad_undo(txn)),
        });
        txn.undo_buffer = record;
        result
    }

    fn bad_undo(&self, txn: &Transaction) -> crate::error::Stop {
        EngineError::Corrupt { page: txn.header_page, what: "an undo record that is none of its row" }.into()
    }
}
