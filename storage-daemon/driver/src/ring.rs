//! One io_uring and the operations in flight on it.
//!
//! Owns the submission and completion queues and the slab of operations. The rule that makes the rest of
//! the driver safe code: memory named in a submission entry belongs to an operation in the slab, and an
//! operation is handed out again only after all completions of its attempt have been reaped. A ring that is
//! dropped with operations in flight leaks them, since the kernel may still write into their buffers. Buffers that
//! the kernel chooses itself, when bytes come, follow rules of their own: `shared_buffers`.

#![allow(unsafe_code)]

mod features;
mod shared_buffers;

pub use features::Features;
pub(crate) use shared_buffers::{SHARED_BUFFER_BYTES, SHARED_GROUP, SharedBufferId};

use crate::operation::{Entries, Operation, Part, ShardSlot, Source};
use crate::transfer::Transfer;
use io_uring::types::{SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode, squeue};
use shared_buffers::SharedBuffers;
use slab::Slab;
use std::net::TcpStream;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, RawFd};
use std::time::Duration;
use std::{fmt, io, mem};

/// Entries of the submission queue. A full queue only means one more system call in that turn.
const SUBMISSION_ENTRIES: u32 = 512;
/// Entries of the completion queue: two for each of a thousand connections and all device operations.
const COMPLETION_ENTRIES: u32 = 8192;

/// Most files that are registered: three areas of each shard, of more shards than a thread has.
const FILES_MAX: u32 = 48;

const USER_DATA_IGNORED: u64 = u64::MAX;
const USER_DATA_MESSAGE: u64 = 1 << 62;
const PART_FLUSH: u64 = 1;

/// Names an operation in flight.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct OperationKey(usize);

/// What the ring has to tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Completion {
    /// A request of an operation ended.
    Ended { key: OperationKey, part: Part, result: i32 },
    /// An operation that gives results until it ends has given one; a receive's stands in the buffer.
    Repeated { key: OperationKey, result: i32, buffer: Option<SharedBufferId>, goes_on: bool },
    /// Another thread sent a message; the number is the sender's choice.
    Message(u32),
}

/// What the documentation asks for; older ones may do, but are not tried.
const KERNEL_NEEDED: &str = "Linux 6.0 or newer is needed";

/// Why there is no ring.
#[derive(Debug)]
pub enum RingError {
    /// The kernel has no io_uring (ENOSYS).
    Missing,
    /// `kernel.io_uring_disabled` forbids it; its value.
    DisabledBySysctl(i32),
    /// Creation is not permitted although the sysctl allows it: a seccomp filter, as container runtimes set.
    Forbidden,
    /// Locked memory is limited too low for the queues (kernels before 5.12 count them).
    MemoryLock,
    /// The kernel is too old: it lacks the named feature.
    TooOld(&'static str),
    /// Anything else.
    Other(io::Error),
}

impl fmt::Display for RingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RingError::Missing => write!(f, "this kernel has no io_uring; {KERNEL_NEEDED}"),
            RingError::DisabledBySysctl(value) => {
                write!(f, "io_uring is switched off: sysctl kernel.io_uring_disabled is {value}, must be 0")
            }
            RingError::Forbidden => write!(
                f,
                "io_uring is not permitted for this process: a seccomp filter forbids it (container runtimes \
                 do by default; allow io_uring_setup, io_uring_enter and io_uring_register)"
            ),
            RingError::MemoryLock => {
                write!(f, "no memory may be locked for io_uring; raise RLIMIT_MEMLOCK (ulimit -l) to 8 MiB")
            }
            RingError::TooOld(feature) => {
                write!(f, "this kernel's io_uring lacks {feature}; {KERNEL_NEEDED}")
            }
            RingError::Other(error) => write!(f, "io_uring cannot be set up: {error}"),
        }
    }
}

impl std::error::Error for RingError {}

/// One operation and how many completions its attempt still has to give.
struct InFlight {
    operation: Operation,
    awaited: u8,
}

/// An io_uring with its operations. Used by one thread alone.
pub struct Ring {
    uring: IoUring,
    operations: Slab<InFlight>,
    /// Requests for the device stand in the submission queue.
    device_is_queued: bool,
    features: Features,
    /// Files registered.
    files: u32,
    shared: Option<SharedBuffers>,
    /// Sends that tell only of what they did not send, started since it was last looked at.
    quiet: Vec<OperationKey>,
    /// Something is to be done when they have ended.
    quiet_are_awaited: bool,
    /// Completions reaped to make room while pushing; given out first by the next `wait`.
    early: Vec<Completion>,
}

impl Ring {
    /// Makes a ring for the calling thread, with the best flags that the kernel has, for operations on files.
    pub fn new() -> Result<Ring, RingError> {
        Ring::with(Features::FILES)
    }

    /// The same for sockets too, with what the kernel has of the features wanted.
    pub fn with(wanted: Features) -> Result<Ring, RingError> {
        let uring = build(SUBMISSION_ENTRIES, COMPLETION_ENTRIES).map_err(RingError::classify)?;
        if !uring.params().is_feature_ext_arg() {
            return Err(RingError::TooOld("waiting with a timeout (EXT_ARG)"));
        }
        if !uring.params().is_feature_nodrop() {
            return Err(RingError::TooOld("lossless completion (NODROP)"));
        }
        let mut features = wanted.find(&uring);
        let shared = features.shared_receive.then(|| SharedBuffers::register(&uring)).flatten();
        features.shared_receive = shared.is_some();
        features.registered_files =
            features.registered_files && uring.submitter().register_files_sparse(FILES_MAX).is_ok();
        Ok(Ring {
            uring,
            operations: Slab::with_capacity(1024),
            device_is_queued: false,
            features,
            files: 0,
            shared,
            quiet: Vec::with_capacity(64),
            quiet_are_awaited: false,
            early: Vec::new(),
        })
    }

    /// What is used of the kernel.
    pub fn features(&self) -> Features {
        self.features
    }

    /// The kernel refuses accepts that go on, although it has what came with them.
    pub(crate) fn forgo_repeated_accept(&mut self) {
        self.features.repeated_accept = false;
    }

    /// It refuses receives into shared buffers. Those that were lent are still to be given back.
    pub(crate) fn forgo_shared_receive(&mut self) {
        self.features.shared_receive = false;
    }

    /// Names a file to the kernel, for as long as the ring is there: by the number that is given, requests find it faster than by
    /// its descriptor. `None` if it has to do without.
    pub(crate) fn register_file(&mut self, file: BorrowedFd<'_>) -> Option<u32> {
        if !self.features.registered_files || self.files == FILES_MAX {
            return None;
        }
        let updated = self.uring.submitter().register_files_update(self.files, &[file.as_raw_fd()]);
        (updated.ok()? == 1).then(|| {
            self.files += 1;
            self.files - 1
        })
    }

    /// Takes a buffer that a completion has named; it is to be given back.
    pub(crate) fn lend(&mut self, id: SharedBufferId) -> Box<[u8]> {
        self.shared.as_mut().expect("a completion has named one").lend(id)
    }

    /// Gives a buffer back to be received into.
    pub(crate) fn give_back(&mut self, id: SharedBufferId, buffer: Box<[u8]>) {
        self.shared.as_mut().expect("it was lent").give_back(id, buffer);
    }

    /// Makes more buffers to receive into, if there may be more.
    pub(crate) fn make_more_buffers(&mut self) -> bool {
        self.shared.as_mut().is_some_and(SharedBuffers::grow)
    }

    /// The descriptor that other threads address messages to.
    pub(crate) fn descriptor(&self) -> RawFd {
        self.uring.as_raw_fd()
    }

    /// Has an eventfd written to when something has ended, for who waits for other descriptors too. (To poll the ring's own
    /// is of no use: with deferred completions it becomes readable only once they have been asked for.)
    pub(crate) fn signal(&self, eventfd: BorrowedFd<'_>) -> io::Result<()> {
        self.uring.submitter().register_eventfd(eventfd.as_raw_fd())
    }

    /// Whether a request can be asked to tell only of its failure.
    pub(crate) fn skips_successes(&self) -> bool {
        self.uring.params().is_feature_skip_cqe_on_success()
    }

    /// Operations not yet taken.
    pub(crate) fn in_flight(&self) -> usize {
        self.operations.len()
    }

    /// Takes an operation in and queues its first attempt.
    pub(crate) fn start(&mut self, operation: Operation) -> OperationKey {
        let key = OperationKey(self.operations.insert(InFlight { operation, awaited: 0 }));
        self.start_again(key);
        key
    }

    /// Queues the next attempt of an operation whose completions have all been reaped.
    pub(crate) fn start_again(&mut self, key: OperationKey) {
        let in_flight = &mut self.operations[key.0];
        assert!(in_flight.awaited == 0, "an attempt is still in flight");
        let main = (key.0 as u64) << 1;
        self.device_is_queued |= matches!(in_flight.operation, Operation::Device(_));
        if in_flight.operation.is_quiet_send() {
            self.quiet.push(key);
        }
        let entries = in_flight.operation.entries();
        in_flight.awaited = match &entries {
            // The second of a quiet link ends after the first and names no memory, or it was cancelled with it.
            Entries::WriteThenFlush(..) if !in_flight.operation.is_quiet() => 2,
            _ => 1,
        };
        match entries {
            Entries::One(entry) => self.push(&[entry.user_data(main)]),
            Entries::Flush(entry) => self.push(&[entry.user_data(main | PART_FLUSH)]),
            Entries::WriteThenFlush(write, flush) => {
                self.push(&[write.user_data(main), flush.user_data(main | PART_FLUSH)]);
            }
            Entries::WithTimeout(entry, timeout) => {
                self.push(&[entry.user_data(main), timeout.user_data(USER_DATA_IGNORED)]);
            }
        }
    }

    /// Asks the kernel to end an operation early; its completion comes as usual.
    pub(crate) fn cancel(&mut self, key: OperationKey) {
        if self.operations.get(key.0).is_some_and(|in_flight| in_flight.awaited > 0) {
            let cancel = opcode::AsyncCancel::new((key.0 as u64) << 1).build();
            self.push(&[cancel.user_data(USER_DATA_IGNORED)]);
        }
    }

    /// Whose an operation is that gives results until it ends.
    pub(crate) fn source(&self, key: OperationKey) -> Source {
        self.operations[key.0].operation.source().expect("it has given a result without having ended")
    }

    /// The shard and the progress of a device operation; `None` if it is another kind.
    pub(crate) fn device(&mut self, key: OperationKey) -> Option<(ShardSlot, &mut Transfer)> {
        match &mut self.operations[key.0].operation {
            // The transfer holds no memory that the kernel knows, so it may be touched at any time.
            Operation::Device(device) => Some((device.shard, &mut device.transfer)),
            _ => None,
        }
    }

    /// Takes an operation out, all completions of its last attempt reaped.
    pub(crate) fn take(&mut self, key: OperationKey) -> Operation {
        assert!(self.operations[key.0].awaited == 0, "the kernel may be using its memory");
        self.operations.remove(key.0).operation
    }

    /// Submits what is queued if the device has something to do in it; it works while the caller goes on.
    pub(crate) fn submit_device(&mut self) {
        if mem::take(&mut self.device_is_queued) {
            // What cannot be submitted now stays queued for `wait`, which tells what is wrong.
            let _ = self.uring.submit();
        }
    }

    /// Submits what is queued if there are sends in it.
    pub(crate) fn submit_sends(&mut self) {
        if !self.quiet.is_empty() && !self.uring.submission().is_empty() {
            // As above.
            let _ = self.uring.submit();
        }
    }

    /// Something waits for the end of a quiet send. If it is not given out already, the next `wait` gives it, and waits for
    /// nothing else.
    pub(crate) fn await_quiet_sends(&mut self) {
        self.quiet_are_awaited |= !self.quiet.is_empty();
    }

    /// Submits what is queued and gathers completions. With a timeout, waits that long for the first one;
    /// without, returns at once. Gives how many the kernel has told; sends that told nothing come behind those.
    pub(crate) fn wait(
        &mut self,
        timeout: Option<Duration>,
        completions: &mut Vec<Completion>,
    ) -> io::Result<usize> {
        completions.append(&mut self.early);
        self.device_is_queued = false;
        let ready = self.quiet_are_awaited || !completions.is_empty() || !self.uring.completion().is_empty();
        let result = match timeout {
            Some(timeout) if !ready => {
                let timeout = Timespec::from(timeout);
                self.uring.submitter().submit_with_args(1, &SubmitArgs::new().timespec(&timeout))
            }
            // Deferred completions show as the task-run flag, on which this enters the kernel with GETEVENTS.
            _ if self.needs_enter() => self.uring.submit(),
            _ => Ok(0),
        };
        // Looked at first: what does not fit into the completion queue may be a send's.
        let is_all_told = {
            let queue = self.uring.submission();
            queue.is_empty() && !queue.cq_overflow()
        };
        self.reap(completions);
        let told = completions.len();
        if is_all_told {
            self.end_quiet_sends(completions);
        }
        match result {
            Ok(_) => Ok(told),
            Err(error) => match error.raw_os_error() {
                // The time is over; a signal came; the completion queue was full or memory short, and what
                // was not submitted stays queued for the next call.
                Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN) => Ok(told),
                _ => Err(error),
            },
        }
    }

    fn needs_enter(&mut self) -> bool {
        let queue = self.uring.submission();
        !queue.is_empty() || queue.taskrun() || queue.cq_overflow()
    }

    /// Sends that were submitted and have not told of a failure have sent everything: they do not wait for their socket.
    fn end_quiet_sends(&mut self, completions: &mut Vec<Completion>) {
        self.quiet_are_awaited = false;
        for key in self.quiet.drain(..) {
            let Some(InFlight { operation, awaited }) = self.operations.get_mut(key.0) else { continue };
            if *awaited == 1 && operation.is_quiet_send() {
                *awaited = 0;
                let result = operation.unsent_bytes() as i32;
                completions.push(Completion::Ended { key, part: Part::Main, result });
            }
        }
    }

    fn reap(&mut self, completions: &mut Vec<Completion>) {
        let Ring { uring, operations, .. } = self;
        for entry in uring.completion() {
            let data = entry.user_data();
            if data == USER_DATA_IGNORED {
                continue;
            }
            if data & USER_DATA_MESSAGE != 0 {
                completions.push(Completion::Message((data & u64::from(u32::MAX)) as u32));
                continue;
            }
            let key = OperationKey((data >> 1) as usize);
            let part = if data & PART_FLUSH == 0 { Part::Main } else { Part::Flush };
            let InFlight { operation, awaited } = &mut operations[key.0];
            assert!(*awaited > 0, "a completion that nobody awaits");
            let (result, flags) = (entry.result(), entry.flags());
            if operation.source().is_some() {
                let goes_on = cqueue::more(flags);
                *awaited = u8::from(goes_on);
                let buffer = cqueue::buffer_select(flags).map(SharedBufferId);
                completions.push(Completion::Repeated { key, result, buffer, goes_on });
                continue;
            }
            *awaited -= 1;
            completions.push(Completion::Ended { key, part, result });
        }
    }

    /// Queues entries so that they are submitted together: a link must not be cut by a full queue.
    fn push(&mut self, entries: &[squeue::Entry]) {
        loop {
            // SAFETY: pointers in the entries lead into an operation in `self.operations` (or to a static).
            // It is not moved out while `awaited > 0` (`take` and `start_again` assert it), its heap
            // memory does not move with the slab, and dropping the ring leaks it.
            let pushed = unsafe { self.uring.submission().push_multiple(entries) };
            if pushed.is_ok() {
                return;
            }
            if self.uring.submit().is_err() {
                // Completions fill the queue: take them out, they are given to the next `wait`.
                let mut early = mem::take(&mut self.early);
                self.reap(&mut early);
                self.early = early;
            }
        }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // The kernel ends requests of a closed ring some time later; until then it may use their memory.
        if self.operations.is_empty() {
            // The kernel lets go of a closed ring's files some time later, and a block device would be in use until then.
            let _ = self.uring.submitter().unregister_files();
            self.shared.take().into_iter().for_each(|shared| shared.free(&self.uring));
        }
        mem::forget(mem::take(&mut self.operations));
    }
}

/// Sends messages to another thread's ring.
pub struct RingMessenger {
    uring: IoUring,
}

impl RingMessenger {
    /// For the calling thread.
    pub fn new() -> Result<RingMessenger, RingError> {
        let uring = IoUring::new(8).map_err(RingError::classify)?;
        let mut probe = io_uring::Probe::new();
        uring.submitter().register_probe(&mut probe).map_err(RingError::classify)?;
        if !probe.is_supported(opcode::MsgRingData::CODE) {
            return Err(RingError::TooOld("messages between rings (MSG_RING)"));
        }
        Ok(RingMessenger { uring })
    }

    /// Lets the ring behind `descriptor` reap `Message(number)`.
    pub(crate) fn send(&mut self, descriptor: RawFd, number: u32) -> io::Result<()> {
        let data = USER_DATA_MESSAGE | u64::from(number);
        let entry = opcode::MsgRingData::new(io_uring::types::Fd(descriptor), 0, data, None).build();
        // SAFETY: the entry names no memory.
        unsafe { self.uring.submission().push(&entry) }
            .map_err(|_| io::Error::from(io::ErrorKind::WouldBlock))?;
        self.uring.submit_and_wait(1)?;
        match self.uring.completion().next().map(|entry| entry.result()) {
            Some(result) if result < 0 => Err(io::Error::from_raw_os_error(-result)),
            _ => Ok(()),
        }
    }
}

fn build(submission_entries: u32, completion_entries: u32) -> io::Result<IoUring> {
    // One thread, completions run when it asks: least overhead (Linux 6.1). Older kernels take fewer flags.
    let mut error = None;
    for level in 0..3 {
        let mut builder = IoUring::builder();
        builder.setup_cqsize(completion_entries).dontfork();
        match level {
            0 => {
                builder.setup_single_issuer().setup_defer_taskrun().setup_taskrun_flag().setup_submit_all();
            }
            1 => {
                builder.setup_coop_taskrun().setup_taskrun_flag().setup_submit_all();
            }
            _ => {}
        }
        match builder.build(submission_entries) {
            Ok(uring) => return Ok(uring),
            Err(refused) if refused.raw_os_error() == Some(libc::EINVAL) => error = Some(refused),
            Err(other) => return Err(other),
        }
    }
    Err(error.expect("three attempts without a ring end in an error"))
}

impl RingError {
    fn classify(error: io::Error) -> RingError {
        match error.raw_os_error() {
            Some(libc::ENOSYS) => RingError::Missing,
            Some(libc::ENOMEM) => RingError::MemoryLock,
            Some(libc::EPERM) => match sysctl_disabled() {
                Some(value) if value != 0 => RingError::DisabledBySysctl(value),
                _ => RingError::Forbidden,
            },
            _ => RingError::Other(error),
        }
    }
}

/// The socket that an accept request returned as its result.
pub(crate) fn accepted_socket(descriptor: RawFd) -> TcpStream {
    assert!(descriptor >= 0, "a failed accept has no socket");
    // SAFETY: the kernel made the descriptor for this completion alone, and a completion is reaped once.
    unsafe { TcpStream::from_raw_fd(descriptor) }
}

fn sysctl_disabled() -> Option<i32> {
    std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled").ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_of_the_kernel_get_their_own_names() {
        let classify = |errno| RingError::classify(io::Error::from_raw_os_error(errno));
        assert!(matches!(classify(libc::ENOSYS), RingError::Missing));
        assert!(matches!(classify(libc::ENOMEM), RingError::MemoryLock));
        assert!(matches!(classify(libc::EPERM), RingError::Forbidden | RingError::DisabledBySysctl(_)));
        assert!(matches!(classify(libc::EMFILE), RingError::Other(_)));
    }

    /// What is said and what the operator reads elsewhere named different kernels.
    #[test]
    fn the_kernel_needed_is_the_one_of_the_documentation() {
        let operations = include_str!("../../../docs/operations.md");
        assert!(operations.contains("the kernel must be 6.0 or newer"));
        for error in [RingError::Missing, RingError::TooOld("something")] {
            assert!(error.to_string().ends_with("Linux 6.0 or newer is needed"), "{error}");
        }
    }

    /// Forbids the calling thread io_uring_setup, as a container's seccomp profile does.
    fn forbid_io_uring() {
        let instruction = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
        let mut filter = [
            // The first field of what a filter sees is the number of the system call.
            instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
            instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, libc::SYS_io_uring_setup as u32),
            instruction(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32),
            instruction(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
        ];
        let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
        // SAFETY: plain integers.
        let denied = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
        assert_eq!(denied, 0);
        // SAFETY: the program and its instructions outlive the call, which copies them.
        let filtered = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &program) };
        assert_eq!(filtered, 0, "{}", io::Error::last_os_error());
    }

    #[test]
    fn a_seccomp_filter_is_told_apart_from_a_kernel_without_io_uring() {
        // A filter binds its thread only.
        let refused = std::thread::spawn(|| {
            forbid_io_uring();
            Ring::new().map(drop)
        });
        match refused.join().expect("no panic") {
            Err(RingError::Forbidden | RingError::DisabledBySysctl(_)) => {}
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn files_are_registered_until_the_table_is_full() {
        let mut ring = Ring::new().expect("io_uring is there");
        let file = std::fs::File::open("/dev/null").expect("is there");
        let register = |ring: &mut Ring| ring.register_file(std::os::fd::AsFd::as_fd(&file));
        let numbers: Vec<_> = (0..FILES_MAX).map(|_| register(&mut ring)).collect();
        assert_eq!(numbers, (0..FILES_MAX).map(Some).collect::<Vec<_>>());
        assert_eq!(register(&mut ring), None, "further ones go by their descriptors");
        let mut ring = Ring::with(Features::NONE).expect("io_uring is there");
        assert_eq!(register(&mut ring), None);
        assert!(ring.uring.submitter().register_files_sparse(1).is_ok(), "nothing is registered unasked");
    }

    #[test]
    fn a_message_wakes_a_waiting_ring() {
        let mut ring = Ring::new().expect("io_uring is there");
        let descriptor = ring.descriptor();
        let sender = std::thread::spawn(move || {
            RingMessenger::new().expect("io_uring is there").send(descriptor, 7).expect("is delivered");
        });
        let mut completions = Vec::new();
        while completions.is_empty() {
            ring.wait(Some(Duration::from_secs(20)), &mut completions).expect("waits");
        }
        assert_eq!(completions, [Completion::Message(7)]);
        sender.join().expect("no panic");
    }
}
