//! The deadlock search, run when a wait is entered.
//!
//! Owns the question whether a transaction that has just begun to wait can ever go on. A wait for a row, key, relation
//! or advisory lock needs all that it waits for; a wait for an undo stream needs any one of the streams' holders.
//! So this is not a search for a cycle but a fixed point: who waits for nothing goes on, and so does who
//! waits for such. What is left is deadlocked. Only what is reachable from the new wait is looked at.

use super::objects::Owner;
use super::{Handle, Locks, NO_HANDLE, Table, Wait, WaitFor};
use crate::hash::FixedMap;
use crate::prepared::NO_PROCESS;
use std::collections::BTreeSet;

struct Node {
    handle: Handle,
    blockers: Vec<Handle>,
    /// One of the blockers is enough.
    any: bool,
}

impl Table {
    /// Whether `handle` can never go on.
    pub(super) fn is_deadlocked(&self, handle: Handle) -> bool {
        let nodes = self.reachable(handle);
        let mut goes_on: FixedMap<Handle, bool> =
            nodes.iter().map(|node| (node.handle, node.blockers.is_empty())).collect();
        loop {
            let mut changed = false;
            // Last found first: in a chain of waiters each is decided right after the one it waits for.
            for node in nodes.iter().rev().filter(|node| !node.blockers.is_empty()) {
                if goes_on[&node.handle] {
                    continue;
                }
                let mut blockers = node.blockers.iter().map(|blocker| goes_on[blocker]);
                let free = if node.any { blockers.any(|free| free) } else { blockers.all(|free| free) };
                if free {
                    goes_on.insert(node.handle, true);
                    changed = true;
                }
            }
            if goes_on[&handle] || !changed {
                return !goes_on[&handle];
            }
        }
    }

    fn reachable(&self, handle: Handle) -> Vec<Node> {
        let mut nodes = vec![self.node(handle)];
        let mut known: FixedMap<Handle, ()> = FixedMap::default();
        known.insert(handle, ());
        let mut next = 0;
        while next < nodes.len() {
            for blocker in nodes[next].blockers.clone() {
                if known.insert(blocker, ()).is_none() {
                    nodes.push(self.node(blocker));
                }
            }
            next += 1;
        }
        nodes
    }

    /// What a transaction waits for, or the one that a session runs; no blockers if it runs.
    fn node(&self, handle: Handle) -> Node {
        let mut node = Node { handle, blockers: Vec::new(), any: false };
        let transaction = self.transactions.get(&handle).unwrap_or(&handle);
        let Some(ticket) = self.wait_of.get(transaction) else {
            return node;
        };
        let wait = &self.waits[ticket];
        if wait.granted {
            return node;
        }
        match wait.wait_for {
            WaitFor::Queue(name) => {
                let queue = &self.queues[&name];
                let place = queue.waiters.iter().position(|waiter| waiter == ticket);
                let place = place.expect("a waiter stands in its queue");
                // The row's own writer may wait too, for one who shares its key.
                let owner = Some(queue.owner).filter(|owner| *owner != NO_HANDLE && *owner != handle);
                let before = place.checked_sub(1).map(|before| self.handle_of(queue.waiters[before]));
                node.blockers.extend(before.or(owner));
                // Holders are in its way wherever it stands. Nobody searches again when it comes to the front.
                node.blockers.extend(queue.conflicting(handle, wait.mode));
            }
            WaitFor::Object { object, .. } => {
                self.object_blockers(object, *ticket, &mut node.blockers);
            }
            WaitFor::Stream => {
                node.any = true;
                // What is prepared ends when somebody outside wants it to. That would free a stream, but it must not be what a
                // circle of all others hopes for.
                let is_prepared = |stream: &u16| self.pool.prepared.contains(stream);
                let holders = self.pool.holders.iter();
                node.blockers
                    .extend(holders.filter(|(stream, _)| !is_prepared(stream)).map(|(_, holder)| holder));
                if node.blockers.is_empty() {
                    node.blockers.extend(self.pool.holders.values());
                }
            }
        }
        node
    }
}

impl Table {
    /// Whom a wait waits for, as PostgreSQL tells it: in a queue for a row the one before it, and the others once it is the
    /// first.
    fn blockers(&self, wait: &Wait) -> Vec<Handle> {
        if let WaitFor::Queue(name) = wait.wait_for {
            let waiters = &self.queues[&name].waiters;
            let place = waiters.iter().position(|waiter| self.handle_of(*waiter) == wait.handle);
            if let Some(before) = place.and_then(|place| place.checked_sub(1)) {
                return vec![self.handle_of(waiters[before])];
            }
        }
        self.node(wait.handle).blockers
    }
}

impl Locks {
    /// The sessions, by their process numbers in ascending order, that the session of this one waits for. Of one that waits
    /// for nothing only the waits are looked through, for a monitor asks of every session there is. Whoever waits
    /// says whose it is; whoever has a row holds a lock of its relation too, which says so.
    pub fn blocking(&self, process_id: i32) -> Vec<i32> {
        let table = self.table.lock();
        let blockers = table.blockers_of(process_id);
        if blockers.is_empty() {
            return Vec::new();
        }
        let waiting = blockers.iter().filter_map(|blocker| table.wait_of.get(blocker));
        let mut blocking: BTreeSet<i32> = waiting.map(|ticket| table.waits[ticket].process_id).collect();
        blocking.extend(table.holders_among(&blockers).map(|owner| owner.process_id));
        blocking.remove(&process_id);
        blocking.into_iter().collect()
    }

    /// The same of those that have no session, which are prepared: by what names them here.
    pub fn blocking_prepared(&self, process_id: i32) -> Vec<Handle> {
        let table = self.table.lock();
        let blockers = table.blockers_of(process_id);
        if blockers.is_empty() {
            return Vec::new();
        }
        let prepared = table.holders_among(&blockers).filter(|owner| owner.process_id == NO_PROCESS);
        let prepared: BTreeSet<Handle> = prepared.map(|owner| owner.handle).collect();
        prepared.into_iter().collect()
    }
}

impl Table {
    /// Those that the session of a process waits for.
    fn blockers_of(&self, process_id: i32) -> BTreeSet<Handle> {
        let is_own = |wait: &&Wait| wait.process_id == process_id && !wait.granted;
        self.waits.values().filter(is_own).flat_map(|wait| self.blockers(wait)).collect()
    }

    /// Of these, who holds locks of objects: once for each lock.
    fn holders_among<'t>(&'t self, blockers: &'t BTreeSet<Handle>) -> impl Iterator<Item = &'t Owner> {
        let granted = self.objects.values().flat_map(|lock| &lock.granted);
        granted.map(|(owner, _)| owner).filter(|owner| blockers.contains(&owner.handle))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Need;
    use crate::locks::objects::Owner;
    use crate::types::RelationLockMode;

    /// A look at all locks of all sessions came before the question whether there is a wait, so that a monitor that asked of each
    /// session held the table's lock for sessions times locks.
    #[test]
    fn who_waits_says_whose_it_is() {
        const ROW: u64 = 1 << 30;
        let locks = Locks::default();
        let [writer, first, second, idle] =
            [1, 2, 3, 4].map(|at| Owner { handle: at, process_id: 10 * at as i32 });
        locks.lock_relation(7, writer, RelationLockMode::RowExclusive).expect("nobody is in its way");
        locks.lock_relation(8, idle, RelationLockMode::AccessExclusive).expect("nobody is in its way");
        for waiter in [first, second] {
            let waits = locks.wait_for_row(ROW, waiter, None, Some(writer.handle), || true);
            assert!(matches!(waits, Ok(Some(Need::Lock(_)))), "{waits:?}");
        }
        assert!(locks.lock_relation(8, writer, RelationLockMode::AccessShare).is_err());
        let blocking = [writer, first, second, idle].map(|owner| locks.blocking(owner.process_id));
        assert_eq!(blocking, [vec![40], vec![10], vec![20], vec![]]);
        locks.finish(idle.handle, &[(8, u8::MAX)], &[]);
        assert_eq!(locks.blocking(writer.process_id), [0; 0]);
    }
}
