//! The deadlock search, run when a wait is entered.
//!
//! Owns the question whether a transaction that has just begun to wait can ever go on. A wait for a row, key, relation
//! or advisory lock needs all that it waits for; a wait for an undo stream needs any one of the streams' holders.
//! So this is not a search for a cycle but a fixed point: who waits for nothing goes on, and so does who
//! waits for such. What is left is deadlocked. Only what is reachable from the new wait is looked at.

use super::objects::{Owner, object_of};
use super::{Handle, Locks, NO_HANDLE, Table, WaitFor};
use crate::hash::FixedMap;
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
                node.blockers.extend(self.pool.holders.values());
            }
        }
        node
    }
}

impl Table {
    /// Whom a transaction, or the one that a session runs, waits for, as PostgreSQL tells it: in a queue for a row the one before it, and the others once it is
    /// the first.
    fn blockers(&self, handle: Handle) -> Vec<Handle> {
        let handle = self.transactions.get(&handle).copied().unwrap_or(handle);
        let waits = self.wait_of.get(&handle).map(|ticket| &self.waits[ticket]);
        if let Some(wait) = waits
            && !wait.granted
            && let WaitFor::Queue(name) = wait.wait_for
        {
            let waiters = &self.queues[&name].waiters;
            let place = waiters.iter().position(|waiter| self.handle_of(*waiter) == handle);
            if let Some(before) = place.and_then(|place| place.checked_sub(1)) {
                return vec![self.handle_of(waiters[before])];
            }
        }
        self.node(handle).blockers
    }
}

impl Locks {
    /// The sessions, by their process numbers in ascending order, that the session of this one waits for. Whoever waits for a
    /// row or has one holds a lock of its relation too, which says whose the transaction is.
    pub fn blocking(&self, process_id: i32) -> Vec<i32> {
        let table = self.table.lock();
        let mut owners: FixedMap<Handle, i32> = FixedMap::default();
        for lock in table.objects.values() {
            owners.extend(lock.granted.iter().map(|(owner, _)| (owner.handle, owner.process_id)));
            // One who waits for a number is known by its session and by its transaction.
            for wait in lock.waiters.iter().map(|ticket| &table.waits[ticket]) {
                let Owner { handle, process_id } = object_of(wait).0;
                owners.extend([(handle, process_id), (wait.handle, process_id)]);
            }
        }
        let own = owners.iter().filter(|(_, owner)| **owner == process_id);
        let blockers = own.flat_map(|(handle, _)| table.blockers(*handle));
        let blocking: BTreeSet<i32> = blockers.filter_map(|blocker| owners.get(&blocker).copied()).collect();
        blocking.into_iter().filter(|blocker| *blocker != process_id).collect()
    }
}
