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
    /// Sends go out with the system call that waits, and tell only of what they did not send. Linux can since 5.17, but before 6.1
    /// a send of which a part had gone out could fail without telling how much, and that part would be sent twice.
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

    /// Those that are wanted and that the kernel has, as far as it can be asked.
    pub(super) fn find(self, uring: &IoUring) -> Features {
        let mut probe = Probe::new();
        let is_probed = uring.submitter().register_probe(&mut probe).is_ok();
        let skips_successes = uring.params().is_feature_skip_cqe_on_success();
        self.that_are_there(skips_successes, |code| is_probed && probe.is_supported(code))
    }

    /// The kernel has no flags for accepts and receives that go on, nor for a failed send that tells what had gone out (commit
    /// 7e6b638ed501): each is told by a request that came with it.
    fn that_are_there(self, skips_successes: bool, has: impl Fn(u8) -> bool) -> Features {
        Features {
            repeated_accept: self.repeated_accept && has(opcode::Socket::CODE),
            shared_receive: self.shared_receive && has(opcode::SendZc::CODE),
            quiet_sends: self.quiet_sends && skips_successes && has(opcode::SendMsgZc::CODE),
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

#[cfg(test)]
mod tests {
    use super::*;

    /// On 5.19 and 6.0 bytes could be sent twice by quiet sends: they were used wherever a success can be left untold.
    #[test]
    fn each_release_has_what_is_safe_on_it() {
        let newest = |code: u8| Features::ALL.that_are_there(true, |asked| asked <= code);
        let accept = Features { repeated_accept: true, ..Features::FILES };
        let receive = Features { shared_receive: true, ..accept };
        for (kernel, code, expected) in [
            ("5.17", opcode::MsgRingData::CODE, Features::FILES),
            ("5.19", opcode::Socket::CODE, accept),
            ("6.0", opcode::SendZc::CODE, receive),
            ("6.1", opcode::SendMsgZc::CODE, Features::ALL),
        ] {
            assert_eq!(newest(code), expected, "Linux {kernel}");
        }
        let untold = Features::ALL.that_are_there(false, |_| true);
        assert_eq!(untold, Features { quiet_sends: false, ..Features::ALL });
        assert_eq!(Features::NONE.that_are_there(true, |_| true), Features::NONE);
    }
}
