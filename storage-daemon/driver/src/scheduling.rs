//! Asks the scheduler to let a shard thread run soon after it is woken.
//!
//! A shard thread runs for some ten microseconds at a time and then waits for the device or a socket. Where other
//! processes compute on the same cores, what it waits for is mostly its turn: on a full core a durable 4 KiB write that takes
//! 90 us took 4 ms at the median, one slice of a neighbour. Since Linux 6.12 a thread may ask for a shorter slice than
//! others have; it gets no more of the processor for that, but it gets it earlier. No privilege is needed.

#![allow(unsafe_code)]

use std::io;

/// As long as a slice of background work may take, the longest that a shard thread means to run at once. The kernel takes
/// 100 us to 100 ms; what others have is 1 to 4 ms, by the number of cores.
const SLICE_NS: u64 = 200_000;

/// `struct sched_attr` in its first form, which every kernel that has the call takes.
#[repr(C)]
#[derive(Default)]
struct Attributes {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime_ns: u64,
    deadline_ns: u64,
    period_ns: u64,
}

const ATTRIBUTES_BYTES: u32 = size_of::<Attributes>() as u32;
const _: () = assert!(ATTRIBUTES_BYTES == 48, "SCHED_ATTR_SIZE_VER0");

/// Asks for short slices for the calling thread and those that it starts from now on. A thread that an operator has given
/// another policy keeps it, and older kernels pass over the wish.
pub fn ask_for_short_slices() -> io::Result<()> {
    let mut attributes = Attributes { size: ATTRIBUTES_BYTES, ..Attributes::default() };
    // SAFETY: the kernel writes at most `ATTRIBUTES_BYTES` to what is that long; 0 is the calling thread.
    let got = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, ATTRIBUTES_BYTES, 0) };
    if got != 0 {
        return Err(io::Error::last_os_error());
    }
    if attributes.policy != libc::SCHED_OTHER as u32 {
        return Ok(());
    }
    attributes.size = ATTRIBUTES_BYTES;
    attributes.runtime_ns = SLICE_NS;
    // SAFETY: the kernel reads the bytes that `size` names, and all of them are initialised.
    let set = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
    if set != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Slice of the calling thread as the kernel tells it; `None` where it does not (before 6.12, or without the file).
    fn slice_ns() -> Option<u64> {
        let text = std::fs::read_to_string("/proc/thread-self/sched").ok()?;
        let line = text.lines().find(|line| line.starts_with("se.slice"))?;
        line.rsplit(':').next()?.trim().parse().ok()
    }

    #[test]
    fn a_thread_and_those_that_it_starts_get_short_slices() {
        let outcome = std::thread::spawn(|| {
            ask_for_short_slices()
                .map(|()| (slice_ns(), std::thread::spawn(slice_ns).join().expect("no panic")))
        });
        let (own, inherited) = outcome.join().expect("no panic").expect("an ordinary thread may ask");
        if own.is_none() {
            eprintln!("this kernel does not tell slices: only that it takes the wish was tested");
            return;
        }
        assert_eq!((own, inherited), (Some(SLICE_NS), Some(SLICE_NS)));
    }
}
