//! Where rows go that a statement works on and that do not fit `work_mem`: temporary files.
//!
//! Owns the traits [`SpillSpace`] and [`SpillFile`], which the server implements over a directory, and [`MemorySpill`], which serves
//! where there is no disk. This crate does no I/O itself. What is in a file ends with it, and no file outlives its process.
//! Read next: `execute/temporary_file.rs`.

use parking_lot::Mutex;
use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Most bytes that one call writes or reads: it holds up all sessions of its worker until it is done.
pub const SPILL_CALL_BYTES_MAX: usize = 256 << 10;

/// Makes temporary files for all sessions of a process.
pub trait SpillSpace: Send + Sync + Debug {
    /// A new and empty file, which is gone when it is dropped, and when the process is gone.
    fn create(&self) -> Result<Box<dyn SpillFile>, SpillError>;
}

/// A temporary file. Calls may block for as long as a disk takes for [`SPILL_CALL_BYTES_MAX`] bytes.
pub trait SpillFile: Send + Sync {
    /// Writes at the end of what is written, which is `at`.
    fn append(&self, at: u64, bytes: &[u8]) -> Result<(), SpillError>;

    /// Reads bytes that were written.
    fn read(&self, at: u64, out: &mut [u8]) -> Result<(), SpillError>;
}

/// Why a temporary file cannot be used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SpillError {
    /// No room is left.
    Full,
    /// What the operating system says.
    Failed(String),
}

/// Temporary files in memory, for the simulator and for tests.
#[derive(Debug)]
pub struct MemorySpill {
    bytes_max: u64,
    bytes: Arc<AtomicU64>,
    written: Arc<AtomicU64>,
}

/// A guess: many times `work_mem`, and little beside the page cache.
const MEMORY_SPILL_BYTES_MAX: u64 = 64 << 20;

impl Default for MemorySpill {
    fn default() -> MemorySpill {
        MemorySpill::new(MEMORY_SPILL_BYTES_MAX)
    }
}

impl MemorySpill {
    /// For this much in all files.
    pub fn new(bytes_max: u64) -> MemorySpill {
        MemorySpill { bytes_max, bytes: Arc::default(), written: Arc::default() }
    }

    /// Bytes in all files.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Bytes that were ever written.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }
}

impl SpillSpace for MemorySpill {
    fn create(&self) -> Result<Box<dyn SpillFile>, SpillError> {
        Ok(Box::new(MemoryFile {
            bytes_max: self.bytes_max,
            all: Arc::clone(&self.bytes),
            written: Arc::clone(&self.written),
            bytes: Mutex::default(),
        }))
    }
}

struct MemoryFile {
    bytes_max: u64,
    /// Of all files.
    all: Arc<AtomicU64>,
    written: Arc<AtomicU64>,
    bytes: Mutex<Vec<u8>>,
}

impl SpillFile for MemoryFile {
    fn append(&self, at: u64, bytes: &[u8]) -> Result<(), SpillError> {
        let mut file = self.bytes.lock();
        assert_eq!(at, file.len() as u64, "a file grows at its end");
        let new = bytes.len() as u64;
        let fits = |all: u64| Some(all + new).filter(|&all| all <= self.bytes_max);
        self.all.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).map_err(|_| SpillError::Full)?;
        self.written.fetch_add(new, Ordering::Relaxed);
        file.extend_from_slice(bytes);
        Ok(())
    }

    fn read(&self, at: u64, out: &mut [u8]) -> Result<(), SpillError> {
        let at = usize::try_from(at).expect("memory holds the file");
        out.copy_from_slice(&self.bytes.lock()[at..][..out.len()]);
        Ok(())
    }
}

impl Drop for MemoryFile {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes.get_mut().len() as u64, Ordering::Relaxed);
    }
}
