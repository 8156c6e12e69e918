//! Which rows a statement will lock or change: what its scans hand up beside the values, by a number that travels in the row.
//!
//! Owns [`Identities`], which grow with the rows below a sort or a join and are let go of one by one where rows only pass, and
//! [`OfRow`], by which they are. They do not go to temporary files: they are counted, and too many fail the statement.

use super::kept_bytes::{KeptBytes, PIECE_BYTES};
use crate::plan::Node;
use hexalog_engine::{Chain, RowVersion};
use hexalog_sql_types::error::Result;

/// Which version of which row a scan has handed up.
pub(crate) struct Identity {
    pub key: Box<[u8]>,
    pub version: RowVersion,
    /// Columns whose values lie in chains, read or not.
    pub long: Vec<(usize, Chain)>,
}

impl Identity {
    fn bytes(&self) -> usize {
        let long = self.long.capacity() * size_of::<(usize, Chain)>();
        size_of::<Identity>() + PIECE_BYTES + self.key.len() + long
    }
}

/// Rows that scans have handed up to be locked or changed.
pub(crate) struct Identities {
    items: Vec<Identity>,
    kept: KeptBytes,
    /// Those before this place belong to common tables, which give their rows when they are asked for: they stay.
    held: usize,
}

impl Default for Identities {
    fn default() -> Identities {
        let kept = KeptBytes::worked_on("A scan of rows to be locked or changed");
        Identities { items: Vec::new(), kept, held: 0 }
    }
}

impl Identities {
    pub(super) fn count(&self) -> usize {
        self.items.len()
    }

    /// Takes one in; 53200 if they are too many.
    pub(super) fn push(&mut self, identity: Identity) -> Result<()> {
        self.kept.add_bytes(identity.bytes())?;
        self.items.push(identity);
        Ok(())
    }

    pub(super) fn get(&self, number: i64) -> &Identity {
        &self.items[usize::try_from(number).expect("identities count from zero")]
    }

    /// All that are there now stay.
    pub(super) fn hold(&mut self) {
        self.held = self.items.len();
    }

    /// Lets go of all from this place on.
    pub(super) fn truncate(&mut self, count: usize) {
        let gone = self.items.drain(count..).map(|identity| identity.bytes()).sum();
        self.kept.give_back(gone);
    }
}

/// Where the identities of the row at hand begin, of rows that an operator asks one input for. What is before them belongs to
/// operators around it.
pub(super) struct OfRow {
    is_streaming: bool,
    from: Option<usize>,
}

impl OfRow {
    pub(super) fn new(input: &Node) -> OfRow {
        OfRow { is_streaming: is_streaming(input), from: None }
    }

    /// The next row is asked for, perhaps again.
    pub(super) fn ask(&mut self, identities: &Identities) {
        self.from.get_or_insert(identities.count());
    }

    /// The row goes on to the operator above, which lets go of it, or another input is read.
    pub(super) fn pass(&mut self) {
        self.from = None;
    }

    /// Nobody needs the row's identities any longer. `has_put_aside`: those of other rows may be among them.
    pub(super) fn let_go(&mut self, identities: &mut Identities, has_put_aside: bool) {
        if let Some(from) = self.from.take()
            && self.is_streaming
            && !has_put_aside
        {
            identities.truncate(from.max(identities.held));
        }
    }
}

/// Whether rows with identities come one by one, each with those given last, unless they have been put aside meanwhile.
fn is_streaming(node: &Node) -> bool {
    match node {
        Node::Scan(scan) => scan.with_identity,
        Node::Project { input, .. } | Node::Filter { input, .. } => is_streaming(input),
        Node::HashJoin { join, left, .. } | Node::NestedLoop { join, left, .. } => {
            join.gives_left_alone() && is_streaming(left)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_let_go_of_no_longer_counts() {
        let identity = |bytes: usize| Identity {
            key: vec![0; bytes].into(),
            version: RowVersion::default(),
            long: Vec::new(),
        };
        let mut identities = Identities::default();
        identities.push(identity(10)).expect("fits");
        let before = identities.kept.bytes();
        assert!(before > 10);
        for _ in 0..3 {
            identities.push(identity(700 << 20)).expect("fits by itself");
            identities.truncate(1);
            assert_eq!((identities.count(), identities.kept.bytes()), (1, before));
        }
        identities.push(identity(700 << 20)).expect("fits by itself");
        let error = identities.push(identity(700 << 20)).expect_err("too much together");
        assert_eq!(error.fields().sqlstate.to_string(), "53200");
    }
}
