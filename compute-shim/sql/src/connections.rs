//! Which sessions are connected to which database.
//!
//! Owns [`Connections`], the register, and the two ways into it: a session's [`Connection`], and a [`Reservation`], with
//! which a definition keeps a database to itself while it drops or renames it. Both end when they are dropped.

use crate::catalog::object::Oid;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Default)]
struct Connected {
    /// The sessions' process numbers.
    sessions: Vec<i32>,
    is_reserved: bool,
}

type Register = Arc<Mutex<BTreeMap<Oid, Connected>>>;

/// The register of a process.
#[derive(Default)]
pub(crate) struct Connections {
    register: Register,
}

impl Connections {
    /// A session comes; `None` while the database is reserved.
    pub(crate) fn connect(&self, database: Oid, process_id: i32) -> Option<Connection> {
        let mut register = self.register.lock();
        let connected = register.entry(database).or_default();
        if connected.is_reserved {
            return None;
        }
        connected.sessions.push(process_id);
        drop(register);
        Some(Connection { database, process_id, register: self.register.clone() })
    }

    /// From now on no session comes; `None` if somebody else has reserved the database. Those who are there stay.
    pub(crate) fn reserve(&self, database: Oid) -> Option<Reservation> {
        let mut register = self.register.lock();
        let connected = register.entry(database).or_default();
        let was_reserved = std::mem::replace(&mut connected.is_reserved, true);
        drop(register);
        (!was_reserved).then(|| Reservation { database, register: self.register.clone() })
    }

    /// Whether no session may come.
    pub(crate) fn is_reserved(&self, database: Oid) -> bool {
        self.register.lock().get(&database).is_some_and(|connected| connected.is_reserved)
    }

    /// The sessions of a database but the one that asks.
    pub(crate) fn others(&self, database: Oid, own: i32) -> Vec<i32> {
        let register = self.register.lock();
        let sessions = register.get(&database).map_or(&[][..], |connected| &connected.sessions);
        sessions.iter().copied().filter(|&session| session != own).collect()
    }

    /// The database of each session.
    pub(crate) fn by_session(&self) -> BTreeMap<i32, Oid> {
        let register = self.register.lock();
        let of = |(&database, connected): (&Oid, &Connected)| {
            connected.sessions.iter().map(|&session| (session, database)).collect::<Vec<_>>()
        };
        register.iter().flat_map(of).collect()
    }
}

/// Changes what is known of a database, and forgets it where that is nothing.
fn change(register: &Register, database: Oid, change: impl FnOnce(&mut Connected)) {
    let mut register = register.lock();
    let connected = register.get_mut(&database).expect("whoever came in has left a trace");
    change(connected);
    if connected.sessions.is_empty() && !connected.is_reserved {
        register.remove(&database);
    }
}

/// A session is connected.
pub(crate) struct Connection {
    database: Oid,
    process_id: i32,
    register: Register,
}

impl Drop for Connection {
    fn drop(&mut self) {
        change(&self.register, self.database, |connected| {
            let at = connected.sessions.iter().position(|&session| session == self.process_id);
            connected.sessions.swap_remove(at.expect("it came in"));
        });
    }
}

/// A database is kept from new sessions.
pub(crate) struct Reservation {
    database: Oid,
    register: Register,
}

impl Reservation {
    pub(crate) fn database(&self) -> Oid {
        self.database
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        change(&self.register, self.database, |connected| connected.is_reserved = false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserved_database_is_left_and_not_entered() {
        let connections = Connections::default();
        let (first, second) = (connections.connect(5, 1), connections.connect(5, 2));
        assert_eq!(connections.others(5, 1), [2]);
        assert_eq!(connections.by_session(), BTreeMap::from([(1, 5), (2, 5)]));
        let reservation = connections.reserve(5).expect("nobody has it");
        assert!(connections.reserve(5).is_none() && connections.connect(5, 3).is_none());
        assert!(connections.connect(6, 3).is_some());
        drop((first, second));
        assert!(connections.is_reserved(5) && connections.others(5, 9).is_empty());
        drop(reservation);
        assert!(connections.connect(5, 3).is_some());
        assert!(connections.register.lock().is_empty());
    }
}
