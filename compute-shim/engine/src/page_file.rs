//! Where pages go that leave the cache of a volume without a log.
//!
//! Owns the trait [`PageFile`], which the layer above carries out over temporary files, and what can go wrong with such a file.
//! What a file has taken it gives back as it was; a page that is made anew is put again without having been taken. No call
//! blocks: who comes too early waits for an [`IoWait`] and comes again.

use crate::io_wait::IoWait;
use hexalog_protocol::{Page, PageId};

/// Keeps pages that are in no cache. One thread calls it at a time.
pub trait PageFile: Send + Sync {
    /// Takes a page over.
    fn put(&self, image: Page) -> Result<(), NotPut>;

    /// Gives a page back. Call again after a wait; whoever does not leaves the page where it is.
    fn take(&self, page: PageId) -> Taken;
}

/// A page could not be taken over.
#[derive(Debug)]
pub struct NotPut {
    /// The page.
    pub image: Page,
    /// What to wait for before it is tried again, or why that would not help.
    pub why: Result<IoWait, FileError>,
}

/// What has become of a page that is wanted back.
#[derive(Debug)]
pub enum Taken {
    /// Here it is.
    Image(Page),
    /// No such page was put.
    NeverPut,
    /// It is being read.
    Wait(IoWait),
    /// It cannot be read.
    Failed(FileError),
}

/// Why a temporary file cannot be used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FileError {
    /// No room is left.
    Full,
    /// There is room, but not for these files.
    Refused {
        /// Which limit is in the way.
        what: String,
        /// What can be done about it.
        mend: String,
    },
    /// The file could not be made.
    NotCreated {
        /// In which directory.
        directory: String,
        /// What the operating system says.
        why: String,
    },
    /// The process or the system has as many files open as it may: what the operating system says.
    TooManyOpen(String),
    /// What the operating system says.
    Failed(String),
}

impl FileError {
    /// The SQLSTATE that a client is told.
    pub fn sqlstate(&self) -> &'static str {
        match self {
            FileError::Full => "53100",
            FileError::Refused { .. } => "53400",
            FileError::NotCreated { .. } | FileError::Failed(_) => "58030",
            FileError::TooManyOpen(_) => "53000",
        }
    }
}
