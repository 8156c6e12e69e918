//! Temporary files of statements that work on more than `work_mem`, and of temporary tables beyond `temp_buffers`.
//!
//! Owns [`TemporaryFiles`]: a directory, a bound for all files of the process, and the threads that write, read and close them.
//! A session's worker never does: worker 0 also runs the volume client, on which every commit depends, and a disk that stalls or
//! gigabytes that are given back would hold it up. Files are made and unlinked at once: they are gone with the process, however it ends. A
//! process that dies between the two leaves an empty file. What a statement does meanwhile: `hexalog_sql::spill`.

use hexalog_engine::IoWait;
use hexalog_sql::spill::{FileError, SpillBusy, SpillCall, SpillEnd, SpillFile, SpillOutcome, SpillSpace};
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};
use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

/// Two, so that one that gives back a large file does not hold up all statements.
const THREADS: usize = 2;

/// Calls that wait for a thread at most: 16 MiB of pieces of the largest kind. A statement that comes when there are more waits until
/// half of them are done.
const CALLS_MAX: usize = 64;

/// Of the descriptors that the process may have, files take one in so many at most: connections take from them too.
const DESCRIPTORS_PER_FILE: u64 = 4;

/// Files at once, however many descriptors there are: the list of those to be closed is no longer than that. Sixty-four sessions
/// with all that they may have.
const FILES_MAX: u64 = 4096;

/// Makes temporary files in a directory.
#[derive(Debug)]
pub struct TemporaryFiles {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    directory: PathBuf,
    bytes_max: u64,
    files_max: u64,
    /// Of all files that are not closed.
    bytes: AtomicU64,
    files: AtomicU64,
    queue: Mutex<Queue>,
    has_work: Condvar,
}

#[derive(Default, Debug)]
struct Queue {
    /// Calls, which [`CALLS_MAX`] bounds, and files to be closed, which `files_max` does.
    work: VecDeque<Work>,
    /// Ends when calls are taken again.
    room: Option<IoWait>,
    /// No work will come.
    is_over: bool,
}

#[derive(Debug)]
enum Work {
    Write { file: Arc<OpenFile>, at: u64, bytes: Vec<u8>, end: SpillEnd },
    Read { file: Arc<OpenFile>, at: u64, buffer: Vec<u8>, end: SpillEnd },
    Close(Arc<OpenFile>),
}

impl TemporaryFiles {
    /// In this directory, which is not touched: [`TemporaryFiles::check`] does that. `bytes_max` is for all files at a time; `None`
    /// stands for half of what is free now, and for no bound where that cannot be said.
    pub fn open(directory: PathBuf, bytes_max: Option<u64>) -> std::io::Result<Arc<TemporaryFiles>> {
        let half = || free_bytes(&directory).map_or(u64::MAX, |bytes| bytes / 2);
        let bytes_max = bytes_max.unwrap_or_else(half);
        let shared = Arc::new(Shared {
            directory,
            bytes_max,
            files_max: files_max(),
            bytes: AtomicU64::new(0),
            files: AtomicU64::new(0),
            queue: Mutex::default(),
            has_work: Condvar::new(),
        });
        let files = Arc::new(TemporaryFiles { shared });
        for number in 0..THREADS {
            let shared = Arc::clone(&files.shared);
            let thread = std::thread::Builder::new().name(format!("temporary-files-{number}"));
            thread.spawn(move || shared.work())?;
        }
        Ok(files)
    }

    /// Makes a file and removes it, to see that it can be done.
    pub fn check(&self) -> std::io::Result<()> {
        create_unnamed(&self.shared.directory).map(drop)
    }

    /// Where they are.
    pub fn directory(&self) -> &Path {
        &self.shared.directory
    }

    /// How many of them there may be: as the limit of open files was when this was made.
    pub fn files_max(&self) -> u64 {
        self.shared.files_max
    }

    /// What all of them may come to.
    pub fn bytes_max(&self) -> u64 {
        self.shared.bytes_max
    }
}

impl Drop for TemporaryFiles {
    /// The threads end when they have done what there is.
    fn drop(&mut self) {
        self.shared.queue().is_over = true;
        self.shared.has_work.notify_all();
    }
}

impl SpillSpace for TemporaryFiles {
    fn create(&self) -> Box<dyn SpillFile> {
        Box::new(Handle(Some(Arc::new(OpenFile {
            shared: Arc::clone(&self.shared),
            is_counted: AtomicBool::new(false),
            bytes: AtomicU64::new(0),
            file: OnceLock::new(),
        }))))
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a call carried out, unless there are too many: then its buffer comes back.
    fn begin(
        &self,
        buffer: Vec<u8>,
        call: impl FnOnce(Vec<u8>, SpillEnd) -> Work,
    ) -> Result<SpillCall, SpillBusy> {
        let mut queue = self.queue();
        if queue.work.len() >= CALLS_MAX {
            let wait = queue.room.get_or_insert_default().clone();
            return Err(SpillBusy { buffer, wait });
        }
        let (begun, end) = SpillCall::begin();
        queue.work.push_back(call(buffer, end));
        drop(queue);
        self.has_work.notify_one();
        Ok(begun)
    }

    fn close(&self, file: Arc<OpenFile>) {
        let mut queue = self.queue();
        if !queue.is_over {
            queue.work.push_back(Work::Close(file));
            drop(queue);
            self.has_work.notify_one();
        }
    }

    /// What a thread does until no work will come.
    fn work(&self) {
        while let Some(work) = self.next() {
            work.carry_out();
        }
    }

    fn next(&self) -> Option<Work> {
        let mut queue = self.queue();
        loop {
            if let Some(work) = queue.work.pop_front() {
                let room = if queue.work.len() <= CALLS_MAX / 2 { queue.room.take() } else { None };
                drop(queue);
                room.iter().for_each(IoWait::end);
                return Some(work);
            }
            if queue.is_over {
                return None;
            }
            queue = self.has_work.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Counts something of which there is so much at most; false if that would be more.
    fn count(counter: &AtomicU64, new: u64, max: u64) -> bool {
        let fits = |all: u64| all.checked_add(new).filter(|&all| all <= max);
        counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_ok()
    }
}

impl Work {
    fn carry_out(self) {
        match self {
            Work::Write { file, at, bytes, end } => end.end(file.write(at, bytes)),
            Work::Read { file, at, buffer, end } => end.end(file.read(at, buffer)),
            // Whoever holds it last closes it: a session has let go of it before.
            Work::Close(file) => drop(file),
        }
    }
}

/// What a session has of a file; nothing once it is being let go of.
struct Handle(Option<Arc<OpenFile>>);

/// A file, which is made when something is written.
#[derive(Debug)]
struct OpenFile {
    shared: Arc<Shared>,
    /// Something was to be written: it counts among the files.
    is_counted: AtomicBool,
    /// What counts of it among the bytes.
    bytes: AtomicU64,
    file: OnceLock<File>,
}

impl Handle {
    fn file(&self) -> &Arc<OpenFile> {
        self.0.as_ref().expect("there until it is let go of")
    }
}

impl SpillFile for Handle {
    fn write(&self, at: u64, bytes: Vec<u8>) -> Result<SpillCall, SpillBusy> {
        let file = Arc::clone(self.file());
        if let Err(error) = file.count(at + bytes.len() as u64) {
            return Ok(SpillCall::ended(Err(error)));
        }
        self.file().shared.begin(bytes, |bytes, end| Work::Write { file, at, bytes, end })
    }

    fn read(&self, at: u64, buffer: Vec<u8>) -> Result<SpillCall, SpillBusy> {
        let file = Arc::clone(self.file());
        self.file().shared.begin(buffer, |buffer, end| Work::Read { file, at, buffer, end })
    }
}

impl Drop for Handle {
    /// A thread lets go of it last, never the session: giving back a large file takes its time.
    fn drop(&mut self) {
        let file = self.0.take().expect("there until it is let go of");
        if file.is_counted.load(Ordering::Relaxed) {
            let shared = Arc::clone(&file.shared);
            shared.close(file);
        }
    }
}

impl OpenFile {
    /// Counts what the file comes to. Again for the same if the call was refused meanwhile.
    fn count(&self, bytes: u64) -> Result<(), FileError> {
        if !self.is_counted.load(Ordering::Relaxed) {
            let files_max = self.shared.files_max;
            if !Shared::count(&self.shared.files, 1, files_max) {
                return Err(FileError::Refused {
                    what: format!("more than {files_max} temporary files of all sessions"),
                    mend: "Have fewer large statements at once, raise work_mem, or raise compute's limit of open files (ulimit -n)."
                        .to_owned(),
                });
            }
            self.is_counted.store(true, Ordering::Relaxed);
        }
        let counted = self.bytes.load(Ordering::Relaxed);
        let new = bytes.saturating_sub(counted);
        if !Shared::count(&self.shared.bytes, new, self.shared.bytes_max) {
            let kilobytes = self.shared.bytes_max >> 10;
            return Err(FileError::Refused {
                what: format!("temporary files of all sessions exceed {kilobytes}kB"),
                mend:
                    "Have fewer large statements at once, or start compute with a larger --temporary-bytes."
                        .to_owned(),
            });
        }
        self.bytes.store(counted + new, Ordering::Relaxed);
        Ok(())
    }

    fn write(&self, at: u64, bytes: Vec<u8>) -> SpillOutcome {
        let file = match self.file.get() {
            Some(file) => file,
            None => {
                let directory = &self.shared.directory;
                let created = create_unnamed(directory).map_err(|error| not_created(directory, &error))?;
                self.file.get_or_init(|| created)
            }
        };
        file.write_all_at(&bytes, at).map_err(|error| spill_error(&error))?;
        Ok(bytes)
    }

    fn read(&self, at: u64, mut buffer: Vec<u8>) -> SpillOutcome {
        let file = self.file.get().expect("only what was written is read");
        file.read_exact_at(&mut buffer, at).map_err(|error| spill_error(&error))?;
        Ok(buffer)
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        // The space is free before others are told so.
        drop(self.file.take());
        self.shared.bytes.fetch_sub(*self.bytes.get_mut(), Ordering::Relaxed);
        self.shared.files.fetch_sub(u64::from(*self.is_counted.get_mut()), Ordering::Relaxed);
    }
}

fn create_unnamed(directory: &Path) -> std::io::Result<File> {
    let number = crate::session::random_u64();
    let path = directory.join(format!("hexalog-{}-{number:016x}", std::process::id()));
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

fn files_max() -> u64 {
    let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    (descriptors / DESCRIPTORS_PER_FILE).min(FILES_MAX)
}

fn free_bytes(directory: &Path) -> std::io::Result<u64> {
    let statvfs = rustix::fs::statvfs(directory)?;
    // What tells no size, as some file systems do, has no bound.
    match statvfs.f_blocks {
        0 => Ok(u64::MAX),
        _ => Ok(statvfs.f_bavail.saturating_mul(statvfs.f_frsize)),
    }
}

fn not_created(directory: &Path, error: &std::io::Error) -> FileError {
    match spill_error(error) {
        FileError::Failed(why) => FileError::NotCreated { directory: directory.display().to_string(), why },
        full => full,
    }
}

fn spill_error(error: &std::io::Error) -> FileError {
    if let Some(Errno::MFILE | Errno::NFILE) = Errno::from_io_error(error) {
        return FileError::TooManyOpen(error.to_string());
    }
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => FileError::Full,
        _ => FileError::Failed(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hexalog_engine::Need;
    use std::task::Waker;
    use std::time::{Duration, Instant};

    fn files(bytes_max: u64) -> (tempfile::TempDir, Arc<TemporaryFiles>) {
        let directory = tempfile::tempdir().expect("a directory");
        let files = TemporaryFiles::open(directory.path().to_owned(), Some(bytes_max)).expect("opens");
        (directory, files)
    }

    fn until<T>(mut poll: impl FnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            if let Some(found) = poll() {
                return found;
            }
            assert!(Instant::now() < deadline, "waits without end");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn outcome(call: Result<SpillCall, SpillBusy>) -> SpillOutcome {
        let mut call = call.expect("there is room");
        until(|| match call.take() {
            Ok(outcome) => Some(outcome),
            Err(Need::Spill(wait)) => {
                until(|| wait.poll(Waker::noop()).then_some(()));
                None
            }
            Err(need) => panic!("{need:?}"),
        })
    }

    #[test]
    fn a_file_has_no_name() {
        let (directory, files) = files(100);
        let file = files.create();
        files.check().expect("files can be made");
        assert_eq!(outcome(file.write(0, b"abc".to_vec())), Ok(b"abc".to_vec()));
        assert_eq!(outcome(file.write(3, b"def".to_vec())), Ok(b"def".to_vec()));
        assert_eq!(outcome(file.read(1, vec![0; 4])), Ok(b"bcde".to_vec()));
        assert_eq!(outcome(file.write(1, b"xy".to_vec())), Ok(b"xy".to_vec()));
        assert_eq!(outcome(file.read(0, vec![0; 6])), Ok(b"axydef".to_vec()));
        assert_eq!(files.shared.bytes.load(Ordering::Relaxed), 6, "what is written over counts once");
        assert_eq!(std::fs::read_dir(directory.path()).expect("lists").count(), 0);
        assert!(matches!(outcome(file.read(4, vec![0; 4])), Err(FileError::Failed(_))));
    }

    #[test]
    fn all_files_together_are_bounded_until_they_are_closed() {
        let (_directory, files) = files(10);
        let (a, b) = (files.create(), files.create());
        assert!(outcome(a.write(0, vec![1; 6])).is_ok());
        let refused = outcome(b.write(0, vec![2; 5]));
        assert!(matches!(&refused, Err(FileError::Refused { what, .. }) if what.ends_with("exceed 0kB")));
        assert!(outcome(b.write(0, vec![2; 4])).is_ok());
        drop(a);
        until(|| (files.shared.bytes.load(Ordering::Relaxed) == 4).then_some(()));
        assert!(outcome(b.write(4, vec![2; 6])).is_ok());
        drop(b);
        until(|| (files.shared.bytes.load(Ordering::Relaxed) == 0).then_some(()));
        until(|| (files.shared.files.load(Ordering::Relaxed) == 0).then_some(()));
        let many: Vec<_> = (0..files.files_max()).map(|_| files.create()).collect();
        assert!(many.iter().all(|file| outcome(file.write(0, Vec::new())).is_ok()));
        assert!(matches!(outcome(files.create().write(0, Vec::new())), Err(FileError::Refused { .. })));
    }

    #[test]
    fn calls_that_find_no_room_come_again() {
        let (_directory, files) = files(u64::MAX);
        let file = files.create();
        assert!(outcome(file.write(0, vec![7; 1 << 20])).is_ok());
        let mut calls = Vec::new();
        let wait = loop {
            match file.read(0, vec![0; 1 << 20]) {
                Ok(call) => calls.push(call),
                Err(SpillBusy { buffer, wait }) => {
                    assert_eq!(buffer.len(), 1 << 20);
                    break wait;
                }
            }
        };
        assert!(calls.len() >= CALLS_MAX);
        until(|| wait.poll(Waker::noop()).then_some(()));
        assert_eq!(outcome(file.read(0, vec![0; 1])), Ok(vec![7]));
        for call in calls {
            assert!(outcome(Ok(call)).is_ok());
        }
        // What is let go of is carried out and closed all the same, and the threads end.
        drop((file.write(1 << 20, vec![8]), file));
        let shared = Arc::clone(&files.shared);
        drop(files);
        until(|| (Arc::strong_count(&shared) == 1).then_some(()));
        assert_eq!(shared.bytes.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_full_disk_is_told_from_other_errors() {
        let (directory, files) = files(100);
        let full = OpenOptions::new().write(true).open("/dev/full").expect("opens");
        let open = OpenFile {
            shared: Arc::clone(&files.shared),
            is_counted: AtomicBool::new(false),
            bytes: AtomicU64::new(0),
            file: OnceLock::from(full),
        };
        assert_eq!(open.write(0, b"x".to_vec()), Err(FileError::Full));
        let path = directory.path().display().to_string();
        directory.close().expect("removes");
        let refused = outcome(files.create().write(0, b"x".to_vec()));
        assert!(matches!(&refused, Err(FileError::NotCreated { directory, .. }) if *directory == path));
        for number in [Errno::MFILE, Errno::NFILE] {
            let error = spill_error(&number.into());
            assert!(matches!(error, FileError::TooManyOpen(_)), "{error:?}");
        }
        assert_eq!(files.check().expect_err("is not there").kind(), ErrorKind::NotFound);
    }
}
