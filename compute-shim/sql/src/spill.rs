//! Where rows go that a statement works on and that do not fit `work_mem`, and pages of temporary tables that do not fit
//! `temp_buffers`: temporary files.
//!
//! Owns the traits [`SpillSpace`] and [`SpillFile`], which the server implements over a directory, and [`MemorySpill`], which serves
//! where there is no disk. This crate does no I/O itself: a write or a read is begun, and until it has ended the statement waits with
//! [`Need::Spill`], as for anything else. What is in a file ends with it, and no file outlives its process.
//! Read next: `execute/temporary_file.rs`.

pub use hexalog_engine::page_file::FileError;
use hexalog_engine::{IoWait, Need};
use parking_lot::Mutex;
use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Most bytes that one call writes or reads, so that none keeps those behind it waiting for long.
pub const SPILL_CALL_BYTES_MAX: usize = 256 << 10;

/// Makes temporary files for all sessions of a process.
pub trait SpillSpace: Send + Sync + Debug {
    /// A new and empty file, which is gone when it is dropped, and when the process is gone. Nothing is done on a disk before
    /// something is written.
    fn create(&self) -> Box<dyn SpillFile>;
}

/// A temporary file. No call blocks, dropping it included.
pub trait SpillFile: Send + Sync {
    /// Begins to write, at the end of what was handed over or before it. Of what one write is under way for no other comes, be
    /// it for a part.
    fn write(&self, at: u64, bytes: Vec<u8>) -> Result<SpillCall, SpillBusy>;

    /// Begins to read bytes that were written, as many as the buffer holds.
    fn read(&self, at: u64, buffer: Vec<u8>) -> Result<SpillCall, SpillBusy>;
}

/// Too many calls are under way already: nothing has been begun. To be tried again when the wait is over.
#[derive(Debug)]
pub struct SpillBusy {
    /// What was handed over.
    pub buffer: Vec<u8>,
    /// Ends when there may be room.
    pub wait: IoWait,
}

/// What a call has come to: its buffer comes back.
pub type SpillOutcome = Result<Vec<u8>, FileError>;

/// A write or a read that was begun. It goes on if this is dropped, and nobody learns of its outcome.
#[derive(Debug)]
pub struct SpillCall {
    shared: Arc<Shared>,
    /// For tests: it is waited for once although it has ended.
    pends_once: bool,
}

#[derive(Default, Debug)]
struct Shared {
    outcome: Mutex<Option<SpillOutcome>>,
    wait: IoWait,
}

impl SpillCall {
    /// A call, and the end that belongs to whoever carries it out.
    pub fn begin() -> (SpillCall, SpillEnd) {
        let shared = Arc::<Shared>::default();
        (SpillCall { shared: Arc::clone(&shared), pends_once: false }, SpillEnd(shared))
    }

    /// A call that has ended.
    pub fn ended(outcome: SpillOutcome) -> SpillCall {
        let (call, end) = SpillCall::begin();
        end.end(outcome);
        call
    }

    /// Ends with the call.
    pub fn wait(&self) -> IoWait {
        self.shared.wait.clone()
    }

    /// The outcome, which is there once; or what to wait for.
    pub fn take(&mut self) -> Result<SpillOutcome, Need> {
        let wait = || Need::Spill(self.shared.wait.clone());
        if std::mem::take(&mut self.pends_once) {
            return Err(wait());
        }
        self.shared.outcome.lock().take().ok_or_else(wait)
    }
}

/// The end of a call that belongs to whoever carries it out. A call whose end is dropped has failed.
#[derive(Debug)]
pub struct SpillEnd(Arc<Shared>);

impl SpillEnd {
    /// The call has come to this.
    pub fn end(self, outcome: SpillOutcome) {
        *self.0.outcome.lock() = Some(outcome);
    }
}

impl Drop for SpillEnd {
    fn drop(&mut self) {
        self.0.outcome.lock().get_or_insert_with(|| Err(FileError::Failed("it was given up".to_owned())));
        self.0.wait.end();
    }
}

/// Temporary files in memory, for the simulator and for tests.
#[derive(Debug)]
pub struct MemorySpill {
    bytes_max: u64,
    /// Calls are waited for, and every third one is refused first.
    is_slow: bool,
    usage: Arc<Usage>,
}

#[derive(Default, Debug)]
struct Usage {
    bytes: AtomicU64,
    written: AtomicU64,
    calls: AtomicU64,
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
        MemorySpill { bytes_max, is_slow: false, usage: Arc::default() }
    }

    /// Files whose every call is waited for, for tests: a statement that does not keep its place while it waits shows.
    pub fn slow() -> MemorySpill {
        MemorySpill { is_slow: true, ..MemorySpill::default() }
    }

    /// Bytes in all files.
    pub fn bytes(&self) -> u64 {
        self.usage.bytes.load(Ordering::Relaxed)
    }

    /// Bytes that were ever written.
    pub fn written(&self) -> u64 {
        self.usage.written.load(Ordering::Relaxed)
    }
}

impl SpillSpace for MemorySpill {
    fn create(&self) -> Box<dyn SpillFile> {
        let (bytes_max, is_slow) = (self.bytes_max, self.is_slow);
        Box::new(MemoryFile { bytes_max, is_slow, usage: Arc::clone(&self.usage), bytes: Mutex::default() })
    }
}

struct MemoryFile {
    bytes_max: u64,
    is_slow: bool,
    /// Of all files.
    usage: Arc<Usage>,
    bytes: Mutex<Vec<u8>>,
}

impl MemoryFile {
    fn call(
        &self,
        buffer: Vec<u8>,
        carry_out: impl FnOnce(Vec<u8>) -> SpillOutcome,
    ) -> Result<SpillCall, SpillBusy> {
        if self.is_slow && self.usage.calls.fetch_add(1, Ordering::Relaxed).is_multiple_of(3) {
            return Err(SpillBusy { buffer, wait: IoWait::ended() });
        }
        Ok(SpillCall { pends_once: self.is_slow, ..SpillCall::ended(carry_out(buffer)) })
    }
}

impl SpillFile for MemoryFile {
    fn write(&self, at: u64, bytes: Vec<u8>) -> Result<SpillCall, SpillBusy> {
        self.call(bytes, |bytes| {
            let mut file = self.bytes.lock();
            let at = usize::try_from(at).expect("memory holds the file");
            let (length, end) = (file.len(), at + bytes.len());
            let new = end.saturating_sub(length) as u64;
            let fits = |all: u64| Some(all + new).filter(|&all| all <= self.bytes_max);
            let all = &self.usage.bytes;
            all.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).map_err(|_| FileError::Full)?;
            self.usage.written.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            file.resize(length.max(end), 0);
            file[at..end].copy_from_slice(&bytes);
            Ok(bytes)
        })
    }

    fn read(&self, at: u64, buffer: Vec<u8>) -> Result<SpillCall, SpillBusy> {
        self.call(buffer, |mut buffer| {
            let at = usize::try_from(at).expect("memory holds the file");
            let file = self.bytes.lock();
            let end = at + buffer.len();
            buffer.copy_from_slice(&file[at..end]);
            Ok(buffer)
        })
    }
}

impl Drop for MemoryFile {
    fn drop(&mut self) {
        self.usage.bytes.fetch_sub(self.bytes.get_mut().len() as u64, Ordering::Relaxed);
    }
}
