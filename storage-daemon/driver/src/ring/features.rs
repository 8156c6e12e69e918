//! What the driver uses of a kernel beyond the least that it needs.

use io_uring::{IoUring, Probe, opcode};
use std::fmt;

/// Each may be missing: the driver then goes the longer way to the same end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Features {
    /// One request accepts all connections (Linux 5.19).
    pub repeated_accept: bool,
    /// One request receives all that comes on a connection, into buffers that all connections share (Linux 6.0).
    pub shared_receive: bool,
    /// Sends go out with the system call that waits, and tell only of what they did not send (Linux 5.17).
    pub quiet_sends: bool,
    /// Areas are named to the kernel once, not with each request (Linux 5.19).
    pub registered_files: bool,
}

impl Features {
    /// All of them.
    pub const ALL: Features =
        Features { repeated_accept: true, shared_receive: true, quiet_sends: true, registered_files: true };
    /// None: as on the oldest kernel.
    pub const NONE: Features = Features {
        repeated_accept: false,
        shared_receive: false,
        quiet_sends: false,
        registered_files: false,
    };
    /// What files alone can use.
    pub(super) const FILES: Features = Features { registered_files: true, ..Features::NONE };

    /// Those that are wanted and that the kernel has, as far as it can be asked. It has no flags for accepts and receives that go
    /// on: each is told by a request that came with the same release.
    pub(super) fn find(self, uring: &IoUring) -> Features {
        let mut probe = Probe::new();
        let is_probed = uring.submitter().register_probe(&mut probe).is_ok();
        let has = |code| is_probed && probe.is_supported(code);
        Features {
            repeated_accept: self.repeated_accept && has(opcode::Socket::CODE),
            shared_receive: self.shared_receive && has(opcode::SendZc::CODE),
            quiet_sends: self.quiet_sends && uring.params().is_feature_skip_cqe_on_success(),
            registered_files: self.registered_files,
        }
    }
}

impl fmt::Display for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let accepts =
            if self.repeated_accept { "one request for all accepts" } else { "a request for each accept" };
        let receives =
            if self.shared_receive { "receives into shared buffers" } else { "a receive at a time" };
        let sends = if self.quiet_sends { "sends with the wait" } else { "a call for each send" };
        let files = if self.registered_files { "registered files" } else { "files by descriptor" };
        write!(f, "{accepts}, {receives}, {sends}, {files}")
    }
}
