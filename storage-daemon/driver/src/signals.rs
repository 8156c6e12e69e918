//! Termination signals as a descriptor that can be polled.
//!
//! SIGTERM and SIGINT are blocked in every thread and read from a signalfd, so no handler ever runs in the
//! middle of anything.

#![allow(unsafe_code)]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};

/// A signal that asks the process to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Termination {
    /// SIGTERM: from an operator or a service manager.
    Terminate,
    /// SIGINT: Ctrl-C.
    Interrupt,
}

/// The blocked signals.
#[derive(Debug)]
pub struct TerminationSignals {
    descriptor: OwnedFd,
}

impl TerminationSignals {
    /// Blocks the signals for the calling thread and all threads that it starts from now on: call it first.
    pub fn block() -> io::Result<TerminationSignals> {
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: sigemptyset initialises the set, the others change an initialised one; the numbers are
        // valid, so none of them fails.
        let set = unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            libc::sigaddset(set.as_mut_ptr(), libc::SIGTERM);
            libc::sigaddset(set.as_mut_ptr(), libc::SIGINT);
            set.assume_init()
        };
        // SAFETY: the set is initialised; the old mask is not asked for.
        let errno = unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &set, std::ptr::null_mut()) };
        if errno != 0 {
            return Err(io::Error::from_raw_os_error(errno));
        }
        // SAFETY: the set is initialised; -1 asks for a new descriptor.
        let descriptor = unsafe { libc::signalfd(-1, &set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: signalfd returned it to this call alone.
        let descriptor = unsafe { OwnedFd::from_raw_fd(descriptor) };
        Ok(TerminationSignals { descriptor })
    }

    /// Readable when a signal has come.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }

    /// The next signal that has come, if any.
    pub fn next(&self) -> Option<Termination> {
        let mut info = [0u8; size_of::<libc::signalfd_siginfo>()];
        let count = rustix::io::read(&self.descriptor, &mut info).ok()?;
        // The number is the first field, four bytes.
        let number = info[..count].first_chunk::<4>().map(|bytes| u32::from_ne_bytes(*bytes))?;
        Some(if number == libc::SIGINT as u32 { Termination::Interrupt } else { Termination::Terminate })
    }
}
