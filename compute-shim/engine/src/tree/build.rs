//! Filling a tree bottom-up, from rows that come in the order of their keys.
//!
//! Owns [`TreeBuilder`]. The tree is one that the transaction has made and nobody else can see. A leaf is put together in
//! memory and written whole, as one record: no descent, no undo and no mini-transaction a row. The mini-transaction that
//! writes a leaf links it to its left neighbour, the next one gives the parent its separator, as a split does: so the
//! tree is sound at every moment, whoever takes over (an abort or a crash frees it as it is, ordinary inserts go on in
//! it), and there is nothing to be published in the end.
//!
//! Every row carries the undo offset of the record that says that the tree was created: there is no version before it.

use super::descent::MissingSeparator;
use super::edit;
use super::split::{build_from_cells, write_image};
use crate::access::Access;
use crate::call::Call;
use crate::engine::Engine;
use crate::error::{EngineError, Step};
use crate::layout::chain_list;
use crate::layout::tree_page::{
    CAPACITY, FLAG_INDEX, FLAG_ROOT, LEAF_CELL_OVERHEAD, ROW_OVERFLOW, RowHeader, SLOT_BYTES, TreePage,
    encode_inner_cell, encode_leaf_cell, high_key_cell_bytes, shortest_separator,
};
use crate::mini_transaction::MiniTransaction;
use crate::rows::{check_key, check_size};
use crate::transaction::Transaction;
use crate::types::{RowRef, RowVersion, TreeId, TreeKind};
use hexalog_protocol::PageId;

/// Bytes of an index page that are left for entries to come, which are spread over all pages (PostgreSQL's fillfactor of
/// 90 for indexes). Rows of tables mostly come at the end.
const INDEX_BYTES_SPARED: usize = CAPACITY / 10;

/// What became of a row that a builder was given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Built {
    /// It is in the tree, or will be when the builder is finished.
    Added,
    /// Its key lies below the last one: nothing was done. Finish the builder and insert the row.
    OutOfOrder,
}

/// A tree being filled; kept over needs. Rows are in the tree for certain only after [`Engine::finish_build`].
#[derive(Debug)]
pub struct TreeBuilder {
    tree: TreeId,
    kind: TreeKind,
    version: RowVersion,
    /// Cells of the leaf that is being put together, in key order, and their bytes with slots.
    cells: Vec<Vec<u8>>,
    bytes: usize,
    last_key: Vec<u8>,
    /// Between the last leaf written and this one.
    separator: Vec<u8>,
    /// The last leaf written; `None`: the root is the first leaf yet.
    left: Option<PageId>,
    /// A leaf whose separator its parent lacks.
    missing: Option<MissingSeparator>,
}

impl TreeBuilder {
    fn fits(&self, cell_bytes: usize, key: &[u8]) -> bool {
        let spared = if self.kind == TreeKind::Index { INDEX_BYTES_SPARED } else { 0 };
        let bytes = self.bytes + cell_bytes + SLOT_BYTES;
        // The high key that the next leaf gives this one is longer than this key by one byte at most.
        let whole = bytes + high_key_cell_bytes(key) + 1;
        self.cells.is_empty() || whole + spared <= CAPACITY
    }

    fn push(&mut self, key: &[u8], header: &RowHeader, body: &[u8]) {
        let mut cell = Vec::with_capacity(LEAF_CELL_OVERHEAD + key.len() + body.len());
        encode_leaf_cell(&mut cell, key, header, body);
        self.bytes += cell.len() + SLOT_BYTES;
        assert!(self.bytes <= CAPACITY, "a cell fits an empty page");
        self.cells.push(cell);
        self.last_key.clear();
        self.last_key.extend_from_slice(key);
    }

    fn flags(&self) -> u8 {
        if self.kind == TreeKind::Index { FLAG_INDEX } else { 0 }
    }
}

impl Engine {
    /// Begins to fill an empty tree that this transaction has made. Until it is finished nothing else writes to the tree.
    pub fn begin_build(&self, txn: &Transaction, tree: TreeId, kind: TreeKind) -> TreeBuilder {
        let _call = Call::enter();
        txn.assert_active();
        let created = txn.trees_created.iter().find(|(created, _)| *created == tree);
        let (_, undo) = created.expect("a tree is built by the transaction that made it");
        let tx_id = txn.tx_id.expect("it has written that record");
        TreeBuilder {
            tree,
            kind,
            version: RowVersion { tx_id, undo: *undo },
            cells: Vec::new(),
            bytes: 0,
            last_key: Vec::new(),
            separator: Vec::new(),
            left: None,
            missing: None,
        }
    }

    /// Adds a row of a table. Fails with `DuplicateKey` if its key is the last one.
    pub fn build_row(
        &self,
        txn: &mut Transaction,
        builder: &mut TreeBuilder,
        key: &[u8],
        row: RowRef<'_>,
    ) -> Step<Built> {
        let _call = Call::enter();
        assert_eq!(builder.kind, TreeKind::Clustered);
        check_size(key, row)?;
        if !self.make_room(txn, builder, key, row)? {
            return Ok(Built::OutOfOrder);
        }
        let mut header = RowHeader { flags: 0, columns: row.columns, version: builder.version };
        if row.chains.is_empty() {
            builder.push(key, &header, row.body);
        } else {
            header.flags = ROW_OVERFLOW;
            let mut body = row.body.to_vec();
            chain_list::encode(&mut body, row.chains);
            builder.push(key, &header, &body);
        }
        Ok(Built::Added)
    }

    /// Adds an entry of an index. Whether its key is unique is the caller's to know: keys come in order.
    pub fn build_entry(
        &self,
        txn: &mut Transaction,
        builder: &mut TreeBuilder,
        key: &[u8],
        primary_key: &[u8],
    ) -> Step<Built> {
        let _call = Call::enter();
        assert_eq!(builder.kind, TreeKind::Index);
        check_key(key.len() + primary_key.len())?;
        let stored = [key, primary_key].concat();
        let columns = u16::try_from(key.len()).expect("keys are bounded");
        if !self.make_room(txn, builder, &stored, RowRef::new(columns, b""))? {
            return Ok(Built::OutOfOrder);
        }
        builder.push(&stored, &RowHeader { flags: 0, columns, version: builder.version }, b"");
        Ok(Built::Added)
    }

    /// Writes the leaf at hand if the row needs another one. False: the row is out of order.
    fn make_room(
        &self,
        txn: &mut Transaction,
        builder: &mut TreeBuilder,
        key: &[u8],
        row: RowRef<'_>,
    ) -> Step<bool> {
        let is_first = builder.cells.is_empty() && builder.left.is_none();
        if !is_first && key <= builder.last_key.as_slice() {
            if key == builder.last_key {
                return Err(EngineError::DuplicateKey.into());
            }
            return Ok(false);
        }
        let cell_bytes = crate::rows::cell_bytes(key.len(), row.body.len(), row.chains.len());
        if !builder.fits(cell_bytes, key) {
            self.prepare_to_grow(txn)?;
            self.operate(txn, |access, _| access.write_leaf(builder, true))?;
            builder.separator = shortest_separator(&builder.last_key, key).to_vec();
        }
        Ok(true)
    }

    /// Writes what is left; after it the tree is like any other. May be called again.
    pub fn finish_build(&self, txn: &mut Transaction, builder: &mut TreeBuilder) -> Step<()> {
        let _call = Call::enter();
        self.prepare_to_grow(txn)?;
        self.operate(txn, |access, _| {
            access.write_leaf(builder, false)?;
            access.add_missing_separator(builder)
        })
    }
}

impl<'e> Access<'e> {
    /// Writes the leaf at hand. `goes_on`: others follow, so that it cannot be the root.
    fn write_leaf(&mut self, builder: &mut TreeBuilder, goes_on: bool) -> Step<()> {
        self.add_missing_separator(builder)?;
        if builder.cells.is_empty() {
            return Ok(());
        }
        match builder.left {
            None if goes_on => self.write_first_leaf(builder)?,
            None => self.write_only_leaf(builder)?,
            Some(left) => self.write_next_leaf(builder, left)?,
        }
        builder.cells.clear();
        builder.bytes = 0;
        Ok(())
    }

    fn add_missing_separator(&mut self, builder: &mut TreeBuilder) -> Step<()> {
        if let Some(missing) = &builder.missing {
            self.insert_separator(builder.tree, missing)?;
            builder.missing = None;
        }
        Ok(())
    }

    fn empty_root(&mut self, builder: &TreeBuilder) -> Step<crate::access::ExclusivePage<'e>> {
        let root = self.exclusive(builder.tree.0)?;
        let view = TreePage(root.bytes());
        assert!(view.is_leaf() && view.is_root() && view.slots() == 0, "only an empty tree is built");
        assert_eq!(view.flags() & FLAG_INDEX, builder.flags(), "a tree of the kind that it was made of");
        Ok(root)
    }

    /// A tree of one page: the root takes the cells.
    fn write_only_leaf(&mut self, builder: &TreeBuilder) -> Step<()> {
        let root = self.empty_root(builder)?;
        let mut mini = MiniTransaction::begin(self.engine)?;
        let slot = mini.add(root);
        let flags = builder.flags() | FLAG_ROOT;
        write_image(
            &mut mini,
            slot,
            &build_from_cells(&builder.cells, 0, flags, None, PageId(0), builder.tree),
        );
        mini.commit(&mut |_, _| {});
        Ok(())
    }

    /// The first of several leaves: the root becomes its parent.
    fn write_first_leaf(&mut self, builder: &mut TreeBuilder) -> Step<()> {
        let root = self.empty_root(builder)?;
        let mut mini = MiniTransaction::begin(self.engine)?;
        let root = mini.add(root);
        let page = self.allocate(&mut mini, false)?;
        let leaf = mini.add_formatted(self.create(page)?);
        let (tree, flags) = (builder.tree, builder.flags());
        write_image(&mut mini, leaf, &build_from_cells(&builder.cells, 0, flags, None, PageId(0), tree));
        let mut child = Vec::new();
        encode_inner_cell(&mut child, b"", page);
        let image = build_from_cells(&[child], 1, flags | FLAG_ROOT, None, PageId(0), tree);
        write_image(&mut mini, root, &image);
        mini.commit(&mut |_, _| {});
        builder.left = Some(page);
        Ok(())
    }

    /// A further leaf, and its left neighbour's high key and link.
    fn write_next_leaf(&mut self, builder: &mut TreeBuilder, left: PageId) -> Step<()> {
        let neighbour = self.exclusive(left)?;
        let mut mini = MiniTransaction::begin(self.engine)?;
        let neighbour = mini.add(neighbour);
        let page = self.allocate(&mut mini, false)?;
        let leaf = mini.add_formatted(self.create(page)?);
        let image = build_from_cells(&builder.cells, 0, builder.flags(), None, PageId(0), builder.tree);
        write_image(&mut mini, leaf, &image);
        let slots = TreePage(mini.bytes(neighbour)).slots();
        edit::truncate(&mut mini, neighbour, slots, &builder.separator, page);
        mini.commit(&mut |_, _| {});
        let key = std::mem::take(&mut builder.separator);
        builder.missing = Some(MissingSeparator { level: 1, key });
        builder.left = Some(page);
        Ok(())
    }
}
