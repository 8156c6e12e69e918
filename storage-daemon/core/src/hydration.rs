//! Hydration by pages: a segment whose missing log no peer has any more gets every page from one of them.
//!
//! [`serve`] is the source's side, [`fetch`] the asker's. The source sends each page once, at the read point of the
//! moment, and remembers what changes meanwhile; then it sends the changes, and their changes, until all that is left
//! goes into one answer. That answer's base B is the asker's: every page of the group is there as it is at B, and B is
//! the group's last record that is not above the VDL that the source has heard. No read point is held at the source for
//! that, so its collection goes on.
//!
//! The asker counts for nothing until a checkpoint that names all of these pages is durable, with SCL = base = floor = B
//! in it. What follows B comes by gossip. Whatever interrupts a session (a restart of either side, a link, a refusal)
//! has it begin anew, at another source: a half never counts.

mod fetch;
mod serve;

pub(crate) use fetch::{Fetches, Hydrated};
pub(crate) use serve::{PagesAnswers, Session};
