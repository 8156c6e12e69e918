//! One operation in flight: everything that the kernel holds a pointer to, owned until its last completion.
//!
//! An [`Operation`] stands in the ring's slab from before its submission entry is pushed until its final
//! completion has been reaped ([`crate::ring`] enforces it). Heap memory behind a `Vec`, `Box` or
//! `AlignedBuffer` does not move when the operation does, so pointers into it stay good.

use crate::receive_buffer::ReceiveBuffer;
use crate::ring::SHARED_GROUP;
use crate::transfer::Transfer;
use hexalog_storage_core::effects::{ConnectionId, IoToken};
use hexalog_storage_format::aligned::AlignedBuffer;
use io_uring::types::{Fd, FsyncFlags, Timespec};
use io_uring::{opcode, squeue};
use socket2::SockAddr;
use std::os::fd::RawFd;

/// Which of the thread's shards an operation belongs to.
pub(crate) type ShardSlot = usize;

/// A connection attempt that takes longer has failed: in one data centre it takes well under a millisecond,
/// and a lost SYN is repeated after one second.
static CONNECT_TIMEOUT: Timespec = Timespec::new().sec(3);

/// Which of an operation's submission entries a completion belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Part {
    /// The operation itself.
    Main,
    /// The flush linked behind a write.
    Flush,
}

/// Whose an operation is that gives results until it ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Source {
    /// Connections come to a shard.
    Listener(ShardSlot),
    /// Bytes come on a connection.
    Connection(ShardSlot, ConnectionId),
}

/// The submission entries of one attempt; where there are two, the second is linked to the first.
pub(crate) enum Entries {
    One(squeue::Entry),
    /// The timeout's own completion tells nobody anything.
    WithTimeout(squeue::Entry, squeue::Entry),
    WriteThenFlush(squeue::Entry, squeue::Entry),
    /// A flush alone.
    Flush(squeue::Entry),
}

/// An operation and what it owns.
pub(crate) enum Operation {
    /// Waits for another thread to say that there is something to look at.
    Wake {
        descriptor: RawFd,
        count: Box<[u8; 8]>,
    },
    /// With `repeats` until it fails, else once.
    Accept {
        shard: ShardSlot,
        listener: RawFd,
        repeats: bool,
    },
    Connect {
        shard: ShardSlot,
        connection: ConnectionId,
        socket: RawFd,
        address: Box<SockAddr>,
    },
    Receive {
        shard: ShardSlot,
        connection: ConnectionId,
        socket: RawFd,
        buffer: ReceiveBuffer,
    },
    /// Receives into buffers that all connections share, until it fails.
    ReceiveShared {
        shard: ShardSlot,
        connection: ConnectionId,
        socket: RawFd,
    },
    Send {
        shard: ShardSlot,
        connection: ConnectionId,
        socket: RawFd,
        bytes: Vec<u8>,
        sent: usize,
        /// What the socket does not take at once is not waited for, and only that is told.
        is_quiet: bool,
    },
    Device(DeviceOperation),
}

/// What a request calls a file by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum FileName {
    Descriptor(RawFd),
    /// By the number that it was registered with.
    Registered(u32),
}

impl FileName {
    fn descriptor(self) -> Fd {
        match self {
            FileName::Descriptor(descriptor) => Fd(descriptor),
            FileName::Registered(number) => Fd(number as RawFd),
        }
    }

    /// What tells the two apart.
    fn flags(self) -> squeue::Flags {
        match self {
            FileName::Descriptor(_) => squeue::Flags::empty(),
            FileName::Registered(_) => squeue::Flags::FIXED_FILE,
        }
    }
}

/// An operation on an area.
pub(crate) struct DeviceOperation {
    pub shard: ShardSlot,
    pub token: IoToken,
    pub file: FileName,
    pub offset: u64,
    /// None for a bare flush.
    pub buffer: Option<AlignedBuffer>,
    pub is_read: bool,
    pub transfer: Transfer,
}

impl Operation {
    /// The shard that it belongs to; none for the thread's own.
    pub(crate) fn shard(&self) -> Option<ShardSlot> {
        match self {
            Operation::Wake { .. } => None,
            Operation::Accept { shard, .. }
            | Operation::Connect { shard, .. }
            | Operation::Receive { shard, .. }
            | Operation::ReceiveShared { shard, .. }
            | Operation::Send { shard, .. } => Some(*shard),
            Operation::Device(device) => Some(device.shard),
        }
    }

    /// Whether the next attempt's two entries give one completion.
    pub(crate) fn is_quiet(&self) -> bool {
        matches!(self, Operation::Device(device) if device.transfer.is_quiet())
    }

    /// Whose it is, if it gives results until it ends.
    pub(crate) fn source(&self) -> Option<Source> {
        match self {
            Operation::Accept { shard, repeats: true, .. } => Some(Source::Listener(*shard)),
            Operation::ReceiveShared { shard, connection, .. } => {
                Some(Source::Connection(*shard, *connection))
            }
            _ => None,
        }
    }

    /// Whether it is a send that gives a completion only if it has not sent everything.
    pub(crate) fn is_quiet_send(&self) -> bool {
        matches!(self, Operation::Send { is_quiet: true, .. })
    }

    /// What is left of a send.
    pub(crate) fn unsent_bytes(&self) -> usize {
        match self {
            Operation::Send { bytes, sent, .. } => bytes.len() - sent,
            _ => 0,
        }
    }

    /// The submission entries of the operation's next attempt. They point into memory that `self` owns.
    pub(crate) fn entries(&mut self) -> Entries {
        match self {
            Operation::Wake { descriptor, count } => {
                let entry = opcode::Read::new(Fd(*descriptor), count.as_mut_ptr(), count.len() as u32);
                // An eventfd has no position.
                Entries::One(entry.offset(u64::MAX).build())
            }
            Operation::Accept { listener, repeats: true, .. } => {
                Entries::One(opcode::AcceptMulti::new(Fd(*listener)).flags(libc::SOCK_CLOEXEC).build())
            }
            Operation::Accept { listener, .. } => {
                let entry = opcode::Accept::new(Fd(*listener), core::ptr::null_mut(), core::ptr::null_mut());
                Entries::One(entry.flags(libc::SOCK_CLOEXEC).build())
            }
            Operation::Connect { socket, address, .. } => {
                let entry = opcode::Connect::new(Fd(*socket), address.as_ptr().cast(), address.len()).build();
                let timeout = opcode::LinkTimeout::new(&CONNECT_TIMEOUT).build();
                Entries::WithTimeout(entry.flags(squeue::Flags::IO_LINK), timeout)
            }
            Operation::Receive { socket, buffer, .. } => {
                let room = buffer.room();
                Entries::One(opcode::Recv::new(Fd(*socket), room.as_mut_ptr(), room.len() as u32).build())
            }
            Operation::ReceiveShared { socket, .. } => {
                Entries::One(opcode::RecvMulti::new(Fd(*socket), SHARED_GROUP).build())
            }
            Operation::Send { socket, bytes, sent, is_quiet, .. } => {
                let rest = &bytes[*sent..];
                let entry = opcode::Send::new(Fd(*socket), rest.as_ptr(), rest.len() as u32);
                // With WAITALL less than all is a failure, which is told; without waiting it comes at once.
                let flags = libc::MSG_NOSIGNAL | libc::MSG_WAITALL;
                Entries::One(match is_quiet {
                    true => {
                        let entry = entry.flags(flags | libc::MSG_DONTWAIT).build();
                        entry.flags(squeue::Flags::SKIP_SUCCESS)
                    }
                    false => entry.flags(flags).build(),
                })
            }
            Operation::Device(operation) => operation.entries(),
        }
    }
}

impl DeviceOperation {
    fn entries(&mut self) -> Entries {
        let (file, named) = (self.file.descriptor(), self.file.flags());
        let flush = || opcode::Fsync::new(file).flags(FsyncFlags::DATASYNC).build().flags(named);
        let (done, left) = (self.transfer.done(), self.transfer.left());
        if left == 0 {
            assert!(self.transfer.flush(), "an attempt has something to do");
            return Entries::Flush(flush());
        }
        let buffer = self.buffer.as_mut().expect("a transfer has a buffer");
        assert!(done + left == buffer.len(), "a transfer covers its buffer");
        let offset = self.offset + done as u64;
        let rest = &mut buffer.bytes_mut()[done..];
        if self.is_read {
            let read = opcode::Read::new(file, rest.as_mut_ptr(), left as u32).offset(offset);
            return Entries::One(read.build().flags(named));
        }
        let write = opcode::Write::new(file, rest.as_ptr(), left as u32).offset(offset);
        let write = if self.transfer.is_dsync() { write.rw_flags(libc::RWF_DSYNC) } else { write };
        let write = write.build().flags(named);
        if !self.transfer.flush() {
            return Entries::One(write);
        }
        let skip =
            if self.transfer.is_quiet() { squeue::Flags::SKIP_SUCCESS } else { squeue::Flags::empty() };
        Entries::WriteThenFlush(write.flags(squeue::Flags::IO_LINK | skip), flush())
    }
}
