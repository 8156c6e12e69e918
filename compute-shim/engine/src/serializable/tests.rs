//! Random histories of a few keys, checked for cycles by a graph that knows nothing of conflicts.

use super::conflicts::{Cycle, Members, Safety};
use super::reads::Target;
use crate::hash::FixedMap;
use crate::types::{TreeId, TxId};
use hexalog_protocol::{Lsn, PageId};
use std::collections::{BTreeMap, BTreeSet};

const TREE: TreeId = TreeId(PageId(3));

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// One version of a key: who wrote it. Versions of a key are in the order of their commits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Version {
    author: u64,
    committed: Option<Lsn>,
}

struct Running {
    snapshot: Lsn,
    is_read_only: bool,
    is_watched: bool,
    /// Key, and the author of the version that was read (0: the first).
    read: Vec<(u64, u64)>,
    written: BTreeSet<u64>,
}

struct Committed {
    read: Vec<(u64, u64)>,
}

/// A database of keys under snapshot isolation: whoever writes first wins.
struct World {
    random: Random,
    members: Members,
    /// Whether conflicts are looked for at all.
    is_watching: bool,
    log: Lsn,
    vdl: Lsn,
    keys: BTreeMap<u64, Vec<Version>>,
    running: BTreeMap<u64, Running>,
    prepared: BTreeMap<u64, Running>,
    committed: BTreeMap<u64, Committed>,
    next: u64,
    failures: u64,
}

impl World {
    fn new(seed: u64, is_watching: bool) -> World {
        World {
            random: Random(seed),
            members: Members::default(),
            is_watching,
            log: Lsn(10),
            vdl: Lsn(10),
            keys: BTreeMap::new(),
            running: BTreeMap::new(),
            prepared: BTreeMap::new(),
            committed: BTreeMap::new(),
            next: 1,
            failures: 0,
        }
    }

    fn target(&mut self, key: u64) -> Target {
        match self.random.below(8) {
            0 => Target::Tree(TREE),
            1 | 2 => Target::Leaf(TREE, PageId(100 + key / 2)),
            _ => Target::Key(TREE, key),
        }
    }

    fn begin(&mut self) {
        let handle = self.next;
        self.next += 1;
        let (snapshot, is_read_only) = (self.vdl, self.random.below(4) == 0);
        self.members.forget_seen(self.vdl);
        let safety = self.members.begin(handle, snapshot, is_read_only);
        let is_watched = self.is_watching && safety != Safety::Safe;
        let (read, written) = (Vec::new(), BTreeSet::new());
        self.running.insert(handle, Running { snapshot, is_read_only, is_watched, read, written });
    }

    fn abort(&mut self, handle: u64) {
        let gone = self.running.remove(&handle).or_else(|| self.prepared.remove(&handle));
        let gone = gone.expect("it runs or is prepared");
        for key in gone.written {
            self.keys.get_mut(&key).expect("written").retain(|version| version.author != handle);
        }
        self.members.abort(handle);
        self.members.forget_seen(self.vdl);
    }

    fn step(&mut self) {
        if self.random.below(3) == 0 {
            self.vdl = Lsn(self.vdl.0 + self.random.below(self.log.0 - self.vdl.0 + 1));
        }
        if self.running.len() < 5 && self.random.below(3) == 0 {
            return self.begin();
        }
        if self.random.below(12) == 0 {
            return self.end_prepared();
        }
        let Some(handle) = self.running.keys().nth(self.random.below(5) as usize).copied() else { return };
        let key = self.random.below(6);
        let done = match self.random.below(10) {
            0..5 => self.read(handle, key),
            5..8 if !self.running[&handle].is_read_only => self.write(handle, key),
            8 => self.commit(handle),
            9 if self.prepared.len() < 3 => self.prepare(handle),
            _ => Ok(()),
        };
        if done.is_err() {
            // One that had set a savepoint goes on without what has failed.
            if self.random.below(2) == 0 {
                self.failures += 1;
                self.abort(handle);
            }
        }
    }

    fn read(&mut self, me: u64, key: u64) -> Result<(), ()> {
        let target = self.target(key);
        let running = &self.running[&me];
        if running.is_watched {
            self.members.read(me, TREE, target).map_err(|_| ())?;
        }
        let versions = self.keys.entry(key).or_default().clone();
        let mut seen = 0;
        for version in versions.iter().rev() {
            if version.author == me || version.committed.is_some_and(|at| at <= running.snapshot) {
                seen = version.author;
                break;
            }
            if running.is_watched {
                self.members.skip(me, tx_id(version.author)).map_err(|_| ())?;
            }
        }
        if seen != me {
            self.running.get_mut(&me).expect("it runs").read.push((key, seen));
        }
        Ok(())
    }

    fn write(&mut self, me: u64, key: u64) -> Result<(), ()> {
        let running = &self.running[&me];
        let versions = self.keys.entry(key).or_default();
        match versions.last() {
            Some(last) if last.author == me => return Ok(()),
            Some(last) if last.committed.is_none_or(|at| at > running.snapshot) => return Err(()),
            _ => {}
        }
        if running.is_watched {
            let targets =
                [Target::Key(TREE, key), Target::Leaf(TREE, PageId(100 + key / 2)), Target::Tree(TREE)];
            self.members.write(me, &targets).map_err(|_| ())?;
            self.members.name(me, tx_id(me));
        }
        versions.push(Version { author: me, committed: None });
        self.running.get_mut(&me).expect("it runs").written.insert(key);
        Ok(())
    }

    fn commit(&mut self, me: u64) -> Result<(), ()> {
        if self.running[&me].is_watched {
            self.members.check_commit(me).map_err(|_| ())?;
        }
        let running = self.running.remove(&me).expect("it runs");
        self.commit_checked(me, running);
        Ok(())
    }

    fn prepare(&mut self, me: u64) -> Result<(), ()> {
        self.log = self.log.plus(1);
        if self.running[&me].is_watched {
            self.members.check_commit(me).map_err(|_| ())?;
            self.members.name(me, tx_id(me));
            self.members.prepare(me, self.log);
        }
        let prepared = self.running.remove(&me).expect("it runs");
        self.prepared.insert(me, prepared);
        Ok(())
    }

    /// One that is prepared can always commit.
    fn end_prepared(&mut self) {
        let Some(me) = self.prepared.keys().nth(self.random.below(3) as usize).copied() else { return };
        if self.random.below(4) == 0 {
            return self.abort(me);
        }
        let prepared = self.prepared.remove(&me).expect("it is prepared");
        if prepared.is_watched {
            self.members.check_commit(me).expect("a prepared transaction may commit");
        }
        self.commit_checked(me, prepared);
    }

    fn commit_checked(&mut self, me: u64, running: Running) {
        if !running.written.is_empty() {
            self.log = self.log.plus(1);
        }
        if running.is_watched {
            self.members.commit(me, self.log);
            self.members.forget_seen(self.vdl);
        } else if !self.is_watching {
            self.members.abort(me);
        }
        for key in running.written {
            let versions = self.keys.get_mut(&key).expect("written");
            versions.last_mut().expect("its own").committed = Some(self.log);
        }
        self.committed.insert(me, Committed { read: running.read });
    }

    /// Whether the committed transactions' dependencies have a cycle.
    fn has_cycle(&self) -> bool {
        let mut edges: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
        let mut edge = |from: u64, to: u64| {
            if from != to && from != 0 {
                edges.entry(from).or_default().insert(to);
            }
        };
        let places: FixedMap<(u64, u64), usize> = self
            .keys
            .iter()
            .flat_map(|(key, versions)| {
                versions.iter().enumerate().map(move |(at, version)| ((*key, version.author), at + 1))
            })
            .collect();
        for (key, versions) in &self.keys {
            let _ = key;
            versions.windows(2).for_each(|pair| edge(pair[0].author, pair[1].author));
        }
        for (reader, transaction) in &self.committed {
            for (key, author) in &transaction.read {
                edge(*author, *reader);
                let next = if *author == 0 { 0 } else { places[&(*key, *author)] };
                if let Some(next) = self.keys[key].get(next) {
                    edge(*reader, next.author);
                }
            }
        }
        let is_committed = |it: &u64| self.committed.contains_key(it);
        // Takes out whoever has no way on, until nobody is left or all that are left lie on cycles or lead to one.
        let mut left: BTreeSet<u64> = self.committed.keys().copied().collect();
        loop {
            let ends: Vec<u64> = left
                .iter()
                .copied()
                .filter(|it| {
                    edges.get(it).is_none_or(|to| !to.iter().any(|to| is_committed(to) && left.contains(to)))
                })
                .collect();
            if ends.is_empty() {
                return !left.is_empty();
            }
            ends.iter().for_each(|end| {
                left.remove(end);
            });
        }
    }
}

fn tx_id(author: u64) -> TxId {
    TxId::new(1, author)
}

fn run(seed: u64, is_watching: bool) -> World {
    let mut world = World::new(seed, is_watching);
    (0..400).for_each(|_| world.step());
    world
}

#[test]
fn committed_transactions_have_no_cycle() {
    let (mut cycles, mut committed, mut failures) = (0, 0, 0);
    for seed in 0..1_000 {
        let world = run(seed, true);
        assert!(!world.has_cycle(), "seed {seed}");
        (committed, failures) = (committed + world.committed.len(), failures + world.failures);
        cycles += usize::from(run(seed, false).has_cycle());
    }
    assert!(cycles > 700, "without the look-out {cycles} of the histories are not serializable");
    assert!(committed as u64 > failures, "{committed} have committed, {failures} failed");
}

#[test]
fn nothing_is_kept_of_what_everyone_sees() {
    for seed in 0..200 {
        let mut world = run(seed, true);
        let left: Vec<u64> = world.running.keys().chain(world.prepared.keys()).copied().collect();
        left.into_iter().for_each(|handle| world.abort(handle));
        world.members.forget_seen(world.log);
        assert_eq!((world.members.len(), world.members.targets()), (0, 0), "seed {seed}");
    }
}

/// Two that read what the other writes: whoever commits second fails, also where the first is all that was seen of it.
#[test]
fn write_skew_is_refused_whatever_the_order() {
    for order in [[1, 2, 3], [2, 1, 3], [1, 3, 2]] {
        let mut members = Members::default();
        for me in [1, 2] {
            members.begin(me, Lsn(5), false);
            members.read(me, TREE, Target::Tree(TREE)).expect("nobody has written");
        }
        let mut outcome = Vec::new();
        for what in order {
            outcome.push(match what {
                3 => members.check_commit(1).map(|()| members.commit(1, Lsn(8))),
                me => members.write(me, &[Target::Tree(TREE)]).map(|()| members.name(me, tx_id(me))),
            });
        }
        let second = members.check_commit(2);
        let failed = outcome.iter().any(Result::is_err) || second.is_err();
        assert!(failed, "order {order:?}: {outcome:?}, {second:?}");
    }
}

/// A pivot that is prepared cannot give way: the one does that would commit before it.
#[test]
fn a_prepared_pivot_stands() {
    let [first, pivot, out] = [1, 2, 3];
    for is_ended in [false, true] {
        let mut members = Members::default();
        for me in [first, pivot, out] {
            members.begin(me, Lsn(5), false);
        }
        members.write(pivot, &[Target::Key(TREE, 1)]).expect("nobody has read it");
        members.name(pivot, tx_id(pivot));
        members.read(pivot, TREE, Target::Key(TREE, 2)).expect("nobody has written it");
        members.check_commit(pivot).expect("nobody has conflicts");
        members.prepare(pivot, Lsn(7));
        members.skip(first, tx_id(pivot)).expect("the prepared one has no conflict out");
        members.write(out, &[Target::Key(TREE, 2)]).expect("nor has this one");
        members.name(out, tx_id(out));
        if is_ended {
            members.check_commit(pivot).expect("it was asked before");
            members.commit(pivot, Lsn(8));
            assert_eq!(members.check_commit(out), Ok(()), "it is not the first of three to commit");
        } else {
            assert_eq!(members.check_commit(out), Err(Cycle::PreparedPivot));
            members.abort(first);
            assert_eq!(members.check_commit(out), Ok(()), "there are no three");
            members.commit(out, Lsn(8));
            members.begin(first, Lsn(5), false);
            assert_eq!(members.skip(first, tx_id(pivot)), Err(Cycle::OutToPivot));
        }
    }
}

/// It keeps nobody else from being forgotten, and is not expelled for others' sake.
#[test]
fn a_prepared_transaction_keeps_nothing() {
    let mut members = Members::default();
    members.begin(1, Lsn(5), false);
    members.name(1, tx_id(1));
    members.prepare(1, Lsn(6));
    for handle in 2..2 + Members::MAX as u64 {
        members.begin(handle, Lsn(handle + 5), false);
        members.check_commit(handle).expect("nobody conflicts");
        members.commit(handle, Lsn(handle + 6));
        members.forget_seen(Lsn(handle + 6));
        assert!(members.len() <= 2);
    }
    members.check_commit(1).expect("it is there still");
    members.commit(1, Lsn(1 << 20));
}

/// The one that keeps all others from being forgotten is aborted, and they are not.
#[test]
fn who_keeps_too_many_is_expelled() {
    let mut members = Members::default();
    members.begin(1, Lsn(5), false);
    members.begin(2, Lsn(6), false);
    let handles = 3..3 + Members::MAX as u64;
    for handle in handles.clone() {
        members.begin(handle, Lsn(handle + 4), false);
        members.read(handle, TREE, Target::Key(TREE, handle % 100)).expect("nobody writes");
        members.check_commit(handle).expect("nobody writes");
        members.commit(handle, Lsn(handle + 5));
        members.forget_seen(Lsn(handle + 5));
        assert!(members.len() <= Members::MAX);
    }
    assert_eq!(members.read(1, TREE, Target::Key(TREE, 1)), Err(Cycle::TooMany));
    assert_eq!(members.check_commit(1), Err(Cycle::TooMany));
    members.abort(1);
    assert_eq!(members.read(2, TREE, Target::Key(TREE, 1)), Err(Cycle::TooMany), "it kept as many");
    members.abort(2);
    members.forget_seen(Lsn(handles.end + 5));
    assert_eq!((members.len(), members.targets()), (0, 0));
}
