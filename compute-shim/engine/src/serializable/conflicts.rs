//! Serializable transactions and which of them read what others wrote without seeing it.
//!
//! Owns the rule of serializable snapshot isolation (Cahill, Röhm, Fekete 2008; Ports, Grittner 2012). A *conflict* goes from a
//! reader to a writer: the reader did not see the writer's version, so it comes before it in every equivalent serial order. An
//! execution that is not serializable has two conflicts in a row, in → pivot → out, between concurrent transactions, where
//! `out` is the first of the three to commit; and if `in` writes nothing, `out` committed before the snapshot of `in`. Of such
//! three one is aborted before all have committed: the pivot if it still can be. "Committed" is the place in the log, whether
//! durable or not, so an instant is an LSN. No lock, no time, no pages: [`super`] calls this with its lock held.

use super::reads::{ReadSet, Reads, Target};
use crate::hash::{FixedMap, FixedSet};
use crate::locks::{Handle, NO_HANDLE};
use crate::prepared::NO_PROCESS;
use crate::types::{TreeId, TxId};
use hexalog_protocol::Lsn;
use std::collections::BTreeSet;

/// Why a transaction cannot go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cycle {
    /// It stands between two others, as it was found while it read.
    PivotAtRead,
    /// The same, while it wrote.
    PivotAtWrite,
    /// The same, when it was about to commit.
    PivotAtCommit,
    /// It has read around a pivot that has committed, or is prepared.
    OutToPivot,
    /// It was about to commit, or to be prepared, and the pivot that did not see it is prepared.
    PreparedPivot,
    /// Others' transactions could not be forgotten for its sake, and they became too many.
    TooMany,
}

/// A transaction that runs, or is concurrent with one that does.
#[derive(Debug)]
struct Member {
    /// Of its session, for `pg_locks`; zero of one that is prepared.
    process_id: i32,
    snapshot: Lsn,
    /// Declared so before its first statement: it will never write.
    is_read_only: bool,
    /// Set once it has written.
    tx_id: Option<TxId>,
    /// Its place in the log; of one that wrote nothing its snapshot.
    committed: Option<Lsn>,
    /// Where PREPARE TRANSACTION stands in the log. It reads and writes no more, and commits if its client says so.
    prepared: Option<Lsn>,
    /// It fails at its next step.
    is_doomed: bool,
    /// Who read what it has overwritten.
    ins: FixedSet<Handle>,
    /// Whose versions it did not see.
    outs: FixedSet<Handle>,
    /// Commit of the first of those to commit, if that was before its own.
    first_out: Option<Lsn>,
    reads: ReadSet,
    /// READ ONLY: writers that ran at its snapshot and still do. Its snapshot is safe once all have ended well.
    awaited: FixedSet<Handle>,
    /// READ ONLY: one of them has committed a conflict to what the snapshot sees.
    is_unsafe: bool,
}

impl Member {
    fn new(snapshot: Lsn, is_read_only: bool) -> Member {
        Member {
            process_id: NO_PROCESS,
            snapshot,
            is_read_only,
            tx_id: None,
            committed: None,
            prepared: None,
            is_doomed: false,
            ins: FixedSet::default(),
            outs: FixedSet::default(),
            first_out: None,
            reads: ReadSet::default(),
            awaited: FixedSet::default(),
            is_unsafe: false,
        }
    }

    fn is_running(&self) -> bool {
        self.committed.is_none()
    }

    /// From where on it counts as committed for those that did not see it. One that is prepared may commit at any time, and
    /// cannot be asked then whether it may: it counts from where it was asked.
    fn settled(&self) -> Option<Lsn> {
        self.prepared.or(self.committed)
    }

    /// The first commit that this one did not see, if others may see this one's.
    fn shown_out(&self) -> Option<Lsn> {
        self.first_out.filter(|_| self.tx_id.is_some())
    }

    fn only_reads(&self) -> bool {
        self.is_read_only || (self.committed.is_some() && self.tx_id.is_none())
    }

    /// Whether this, as the first of three, makes them dangerous: the last committed at `out`, before the pivot.
    fn endangers(&self, out: Lsn) -> bool {
        match self.only_reads() {
            _ if self.is_doomed => false,
            true => out <= self.snapshot,
            // Equal: the first of the three is the last.
            false => self.committed.is_none_or(|at| at >= out),
        }
    }
}

/// What is known of a READ ONLY transaction's snapshot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Safety {
    /// No anomaly can come of reading at it: the transaction is no member any more.
    Safe,
    /// One could: it is watched as any other.
    Unsafe,
    /// Writers that were running then have to end first.
    Unknown,
}

/// All members, their conflicts and what they have read.
#[derive(Default)]
pub(super) struct Members {
    members: FixedMap<Handle, Member>,
    by_tx_id: FixedMap<TxId, Handle>,
    reads: Reads,
    /// Snapshots of those that run.
    running: BTreeSet<(Lsn, Handle)>,
    /// Commits of those that do not.
    committed: BTreeSet<(Lsn, Handle)>,
    /// READ ONLY ones whose snapshots may turn out to be safe.
    hopeful: FixedSet<Handle>,
    /// Those that run and are members no more, since too many others could not be forgotten for their sake.
    expelled: FixedSet<Handle>,
    /// Indexes that are not kept any more and may be read yet, and the trees of their rows.
    heirs: FixedMap<TreeId, TreeId>,
    /// Transactions that were doomed, ever.
    pub(super) dooms: u64,
}

impl Members {
    /// Members there may be.
    pub const MAX: usize = 1 << 17;

    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Targets that reads are noted for.
    pub fn targets(&self) -> usize {
        self.reads.len()
    }

    /// What each has read, with the process number of its session.
    pub fn reads(&self) -> impl Iterator<Item = (Target, Handle, i32)> + '_ {
        self.reads.iter().map(|(target, holder)| (target, holder, self.member(holder).process_id))
    }

    /// The transaction is of the session with this process number.
    pub fn belongs_to(&mut self, me: Handle, process_id: i32) {
        if let Some(member) = self.members.get_mut(&me) {
            member.process_id = process_id;
        }
    }

    fn member(&self, handle: Handle) -> &Member {
        self.members.get(&handle).expect("conflicts are between members")
    }

    fn member_mut(&mut self, handle: Handle) -> &mut Member {
        self.members.get_mut(&handle).expect("conflicts are between members")
    }

    /// A transaction has taken its snapshot. Not a member if it is READ ONLY and its snapshot is safe from the start.
    pub fn begin(&mut self, handle: Handle, snapshot: Lsn, is_read_only: bool) -> Safety {
        let mut member = Member::new(snapshot, is_read_only);
        let mut safety = Safety::Unsafe;
        if is_read_only {
            let writers = self.running.iter().filter(|(_, other)| !self.members[other].is_read_only);
            member.awaited = writers.map(|(_, other)| *other).collect();
            member.is_unsafe = self.unsafe_before(snapshot).is_some();
            if !member.is_unsafe {
                if member.awaited.is_empty() {
                    return Safety::Safe;
                }
                self.hopeful.insert(handle);
                safety = Safety::Unknown;
            }
        }
        self.running.insert((snapshot, handle));
        let before = self.members.insert(handle, member);
        assert!(before.is_none(), "a transaction begins once");
        safety
    }

    /// The last commit that makes a snapshot before it unsafe: of one that did not see what the snapshot sees.
    pub fn unsafe_before(&self, snapshot: Lsn) -> Option<Lsn> {
        let mut unseen = self.committed.range((snapshot.plus(1), NO_HANDLE)..).rev();
        let shows =
            |(_, other): &&(Lsn, Handle)| self.members[other].shown_out().is_some_and(|out| out <= snapshot);
        unseen.find(shows).map(|(at, _)| *at)
    }

    /// What has become of a READ ONLY transaction's snapshot.
    pub fn safety(&self, handle: Handle) -> Safety {
        match self.members.get(&handle) {
            None if self.expelled.contains(&handle) => Safety::Unsafe,
            None => Safety::Safe,
            Some(member) if member.is_unsafe || !member.is_read_only => Safety::Unsafe,
            Some(_) => Safety::Unknown,
        }
    }

    /// Fails if the transaction is doomed.
    fn check(&self, me: Handle, at: Cycle) -> Result<(), Cycle> {
        match self.members.get(&me) {
            Some(member) if member.is_doomed => Err(at),
            None if self.expelled.contains(&me) => Err(Cycle::TooMany),
            _ => Ok(()),
        }
    }

    /// A transaction reads a part of a tree.
    pub fn read(&mut self, me: Handle, tree: TreeId, target: Target) -> Result<(), Cycle> {
        self.check(me, Cycle::PivotAtRead)?;
        if let Some(member) = self.members.get_mut(&me) {
            self.reads.add(&mut member.reads, me, tree, target);
            if let Some(heir) = self.heirs.get(&tree) {
                self.reads.add(&mut member.reads, me, *heir, Target::Tree(*heir));
            }
        }
        Ok(())
    }

    /// A transaction has come by a version that it does not see.
    pub fn skip(&mut self, me: Handle, author: TxId) -> Result<(), Cycle> {
        self.check(me, Cycle::PivotAtRead)?;
        match self.by_tx_id.get(&author).copied() {
            Some(writer) if writer != me && self.members.contains_key(&me) => self.conflict(me, writer, me),
            _ => Ok(()),
        }
    }

    /// A transaction is about to write what lies within these targets.
    pub fn write(&mut self, me: Handle, targets: &[Target]) -> Result<(), Cycle> {
        self.check(me, Cycle::PivotAtWrite)?;
        let Some(snapshot) = self.members.get(&me).map(|member| member.snapshot) else { return Ok(()) };
        for target in targets {
            let mut reader = NO_HANDLE;
            while let Some(next) = self.reads.holder_after(*target, reader) {
                reader = next;
                let is_concurrent = self.member(reader).committed.is_none_or(|end| end > snapshot);
                if reader != me && is_concurrent {
                    self.conflict(reader, me, me)?;
                }
            }
        }
        Ok(())
    }

    /// A transaction is about to do away with a tree.
    pub fn write_tree(&mut self, me: Handle, tree: TreeId) -> Result<(), Cycle> {
        self.check(me, Cycle::PivotAtWrite)?;
        let Some(snapshot) = self.members.get(&me).map(|member| member.snapshot) else { return Ok(()) };
        let is_concurrent = |member: &Member| member.committed.is_none_or(|end| end > snapshot);
        let has_read = |(_, member): &(&Handle, &Member)| member.reads.has(tree) && is_concurrent(member);
        let mut readers: Vec<Handle> =
            self.members.iter().filter(has_read).map(|(handle, _)| *handle).collect();
        readers.sort_unstable();
        readers
            .into_iter()
            .filter(|reader| *reader != me)
            .try_for_each(|reader| self.conflict(reader, me, me))
    }

    /// The transaction has its id: others may come by its versions from now on.
    pub fn name(&mut self, me: Handle, tx_id: TxId) {
        if let Some(member) = self.members.get_mut(&me) {
            // One that is READ ONLY writes temporary tables, which nobody else reads.
            if !member.is_read_only {
                member.tx_id = Some(tx_id);
                self.by_tx_id.insert(tx_id, me);
            }
        }
    }

    /// Rows of one leaf move to another: what was read of the one was read of the other too.
    pub fn rows_move(&mut self, tree: TreeId, from: Target, to: Target) {
        let mut holder = NO_HANDLE;
        while let Some(next) = self.reads.holder_after(from, holder) {
            holder = next;
            let member = self.members.get_mut(&holder).expect("reads are members'");
            self.reads.add(&mut member.reads, holder, tree, to);
        }
    }

    /// What was read of a tree, and is from now on, counts as read of all of another.
    pub fn share(&mut self, from: TreeId, to: TreeId) {
        self.hand_on(from, to);
        self.heirs.insert(from, to);
    }

    /// What was read of a tree that nobody reads any more counts as read of all of another.
    pub fn hand_on(&mut self, from: TreeId, to: TreeId) {
        self.heirs.remove(&from);
        for (handle, member) in &mut self.members {
            if member.reads.has(from) {
                self.reads.add(&mut member.reads, *handle, to, Target::Tree(to));
            }
        }
    }

    /// Notes that `reader` did not see what `writer` wrote; `me` is one of them and runs. Fails if `me` has to give way: nothing is
    /// noted then, so that it fails again should it go back to a savepoint and try once more.
    fn conflict(&mut self, reader: Handle, writer: Handle, me: Handle) -> Result<(), Cycle> {
        let (r, w) = (self.member(reader), self.member(writer));
        let other = if me == reader { w } else { r };
        if other.is_doomed || r.outs.contains(&writer) {
            return Ok(());
        }
        let is_writer_pivot = w.first_out.is_some_and(|out| r.endangers(out));
        let is_reader_pivot = w.settled().is_some_and(|out| {
            let is_later = r.committed.is_none_or(|at| at > out);
            is_later && (r.ins.iter().any(|first| self.member(*first).endangers(out)))
        });
        let settled = w.settled();
        if is_reader_pivot {
            assert_eq!(reader, me, "of two one runs");
            return Err(Cycle::PivotAtRead);
        }
        if is_writer_pivot {
            match settled {
                _ if writer == me => return Err(Cycle::PivotAtWrite),
                Some(_) => return Err(Cycle::OutToPivot),
                None => self.doom(writer),
            }
        }
        self.member_mut(writer).ins.insert(reader);
        let r = self.member_mut(reader);
        r.outs.insert(writer);
        if let Some(at) = settled.filter(|at| r.committed.is_none_or(|end| *at < end)) {
            r.first_out = Some(r.first_out.map_or(at, |first| first.min(at)));
        }
        Ok(())
    }

    /// The transaction fails at its next step, unless it is none of these.
    pub fn doom(&mut self, handle: Handle) {
        if let Some(member) = self.members.get_mut(&handle) {
            assert!(member.settled().is_none(), "what has committed or is prepared stands");
            self.dooms += u64::from(!std::mem::replace(&mut member.is_doomed, true));
        }
    }

    /// Whether the transaction may commit or be prepared. Only that may come between this and the append.
    pub fn check_commit(&self, me: Handle) -> Result<(), Cycle> {
        self.check(me, Cycle::PivotAtCommit)?;
        let Some(member) = self.members.get(&me).filter(|member| member.prepared.is_none()) else {
            return Ok(());
        };
        let is_fixed = |pivot: &&Handle| self.member(**pivot).prepared.is_some();
        match member.ins.iter().filter(is_fixed).any(|pivot| self.is_endangered_by(*pivot, me)) {
            true => Err(Cycle::PreparedPivot),
            false => Ok(()),
        }
    }

    /// Whether a transaction that did not see `out`, and has not committed, is the pivot of three once `out` has.
    fn is_endangered_by(&self, pivot: Handle, out: Handle) -> bool {
        let pivot = self.member(pivot);
        // It would commit after this. Those that have committed did before.
        let may_follow = |first: &Handle| {
            let first = self.member(*first);
            first.is_running() && !first.is_read_only && !first.is_doomed
        };
        pivot.is_running()
            && !pivot.is_doomed
            && pivot.ins.iter().any(|first| *first == out || may_follow(first))
    }

    /// The transaction settles at this place: what did not see it, and has been seen by none yet, gives way.
    fn settle(&mut self, me: Handle, at: Lsn) {
        let pivots: Vec<Handle> = self.member(me).ins.iter().copied().collect();
        for pivot in pivots {
            let member = self.member(pivot);
            if !member.is_running() || member.is_doomed {
                continue;
            }
            if member.prepared.is_none() && self.is_endangered_by(pivot, me) {
                self.doom(pivot);
            }
            self.member_mut(pivot).first_out.get_or_insert(at);
        }
    }

    /// The transaction is prepared, at this place in the log.
    pub fn prepare(&mut self, me: Handle, at: Lsn) {
        let Some(member) = self.members.get_mut(&me) else { return };
        assert!(!member.is_doomed && member.settled().is_none(), "checked before");
        member.prepared = Some(at);
        member.process_id = NO_PROCESS;
        self.settle(me, at);
    }

    /// The transaction commits, at this place in the log if it has written.
    pub fn commit(&mut self, me: Handle, at: Lsn) {
        let Some(member) = self.members.get_mut(&me) else { return };
        assert!(!member.is_doomed && member.is_running(), "checked before");
        // One that wrote nothing comes where its snapshot is: it matters to those alone whose snapshots are older.
        let at = if member.tx_id.is_some() { at } else { member.snapshot };
        member.committed = Some(at);
        let is_prepared = member.prepared.is_some();
        let moved = self.running.remove(&(member.snapshot, me));
        assert!(moved, "what commits was running");
        self.committed.insert((at, me));
        if !is_prepared {
            self.settle(me, at);
        }
        let first_out = self.member(me).shown_out();
        self.end_writer(me, first_out);
        self.hopeful.remove(&me);
    }

    /// A transaction that was prepared before the volume was opened, now at `vdl`. Whom it did not see is not known any more: it
    /// counts as the pivot before one who has committed, so whoever comes by what it has overwritten gives way. Therefore
    /// nothing new ever comes before it, and it does not matter what comes after: what it has read need not be known.
    pub fn restore(&mut self, me: Handle, tx_id: TxId, vdl: Lsn) {
        let mut member = Member::new(vdl, false);
        member.prepared = Some(vdl);
        member.first_out = Some(vdl);
        self.running.insert((vdl, me));
        let before = self.members.insert(me, member);
        assert!(before.is_none(), "a transaction is restored once");
        self.name(me, tx_id);
    }

    /// The transaction is undone, or all that it did is over: nobody conflicts with it.
    pub fn abort(&mut self, me: Handle) {
        self.expelled.remove(&me);
        if self.members.contains_key(&me) {
            self.end_writer(me, None);
            self.forget(me);
        }
    }

    /// A writer has ended; `first_out` if it committed with one.
    fn end_writer(&mut self, writer: Handle, first_out: Option<Lsn>) {
        let mut safe = Vec::new();
        for reader in &self.hopeful {
            let member = self.members.get_mut(reader).expect("hopeful ones are members");
            if !member.awaited.remove(&writer) {
                continue;
            }
            member.is_unsafe |= first_out.is_some_and(|out| out <= member.snapshot);
            if member.is_unsafe || member.awaited.is_empty() {
                safe.push(*reader);
            }
        }
        for reader in safe {
            self.hopeful.remove(&reader);
            if !self.member(reader).is_unsafe {
                self.forget(reader);
            }
        }
    }

    /// Takes a member out, with all its conflicts.
    fn forget(&mut self, handle: Handle) {
        let member = self.members.remove(&handle).expect("a member is forgotten once");
        for reader in member.ins.iter().filter(|other| **other != handle) {
            self.member_mut(*reader).outs.remove(&handle);
        }
        for writer in member.outs.iter().filter(|other| **other != handle) {
            self.member_mut(*writer).ins.remove(&handle);
        }
        if let Some(tx_id) = member.tx_id {
            self.by_tx_id.remove(&tx_id);
        }
        self.reads.remove(&member.reads, handle);
        self.hopeful.remove(&handle);
        let known = match member.committed {
            Some(at) => self.committed.remove(&(at, handle)),
            None => self.running.remove(&(member.snapshot, handle)),
        };
        assert!(known, "a member runs or has committed");
    }

    /// The oldest that reads and writes yet.
    fn oldest_active(&self) -> Option<(Lsn, Handle)> {
        self.running.iter().find(|(_, handle)| self.members[handle].prepared.is_none()).copied()
    }

    /// Forgets what has committed and is seen by every transaction that runs or will: those begin at `vdl` or later. One that is
    /// prepared comes by nothing any more, and keeps no one. Should too many be left, the oldest that runs is what keeps them: it
    /// is aborted.
    pub fn forget_seen(&mut self, vdl: Lsn) {
        loop {
            let oldest = self.oldest_active().map_or(vdl, |(snapshot, _)| vdl.min(snapshot));
            while let Some((at, handle)) = self.committed.first().copied()
                && at <= oldest
            {
                self.forget(handle);
            }
            if self.members.len() < Self::MAX || self.committed.is_empty() {
                return;
            }
            let Some((_, oldest)) = self.oldest_active() else { return };
            self.abort(oldest);
            self.expelled.insert(oldest);
            self.dooms += 1;
        }
    }
}
