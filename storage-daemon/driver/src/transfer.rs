//! How far one device operation has come: the rules for short transfers, links and flushes, without any I/O.
//!
//! An operation is one or more *attempts*. An attempt transfers the bytes that are left and, for a durable
//! write, flushes in a linked request. A short write breaks the link and the flush is cancelled; the next
//! attempt transfers the rest and flushes. Only an attempt whose transfer reached the end **and** whose own
//! flush succeeded ends the operation as done. A flush that failed is never repeated: the kernel may have
//! dropped the dirty state with the error, and a second flush would succeed over lost data.

use hexalog_storage_format::aligned::BLOCK_BYTES;

/// Attempts that may end without a whole block of progress before the device counts as broken. Interrupted
/// attempts are rare; the number only has to end a loop.
const ATTEMPTS_WITHOUT_PROGRESS_MAX: u32 = 16;

/// What to do after a completion.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Another completion of this attempt is still to come.
    Wait,
    /// Start another attempt for what is left.
    Again,
    /// All is done.
    Done,
    /// A read met the end of the file after this many bytes.
    EndOfFile(usize),
    /// It failed with this errno.
    Failed(i32),
    /// A write found no space. What a flush finds is `Failed`, whatever it is: what it was to keep may be lost.
    NoSpace,
}

/// Progress of one read, write or flush.
#[derive(Debug)]
pub struct Transfer {
    length: usize,
    done: usize,
    flush: bool,
    is_read: bool,
    /// Of a write and its linked flush one completion comes: that of the one that ended the attempt.
    is_quiet: bool,
    /// Each attempt is durable when it ends, without a flush of its own.
    is_dsync: bool,
    attempts_without_progress: u32,
    /// Results of the attempt in flight; `None` while awaited.
    transferred: Option<i32>,
    flushed: Option<i32>,
}

impl Transfer {
    /// A read of `length` bytes.
    pub fn read(length: usize) -> Transfer {
        assert!(length > 0 && length.is_multiple_of(BLOCK_BYTES));
        Transfer { is_read: true, ..Transfer::write(length, false) }
    }

    /// A write of `length` bytes, made durable if `flush`. Zero bytes with `flush` is a bare flush.
    pub fn write(length: usize, flush: bool) -> Transfer {
        assert!(length.is_multiple_of(BLOCK_BYTES));
        assert!(length > 0 || flush, "there must be something to do");
        Transfer {
            length,
            done: 0,
            flush,
            is_read: false,
            is_quiet: false,
            is_dsync: false,
            attempts_without_progress: 0,
            transferred: None,
            flushed: None,
        }
    }

    /// A write of which each attempt is on stable storage when it ends.
    pub fn dsync_write(length: usize) -> Transfer {
        Transfer { is_dsync: true, ..Transfer::write(length, false) }
    }

    /// Whether its attempts are to be durable by themselves.
    pub fn is_dsync(&self) -> bool {
        self.is_dsync
    }

    /// The same where a write whose flush is linked to it tells only of its failure, and the flush then nothing: with the
    /// flush's completion the write is known to have ended in full, with the write's the flush to have been cancelled.
    pub fn quiet(self, is_quiet: bool) -> Transfer {
        Transfer { is_quiet, ..self }
    }

    /// Whether the next attempt is a write with a linked flush that gives one completion for both.
    pub fn is_quiet(&self) -> bool {
        self.is_quiet && self.flush && self.left() > 0
    }

    /// Where the next attempt starts, relative to the operation's offset; whole blocks.
    pub fn done(&self) -> usize {
        self.done
    }

    /// Bytes that the next attempt transfers; zero means that only a flush is left.
    pub fn left(&self) -> usize {
        self.length - self.done
    }

    /// Whether the next attempt ends with a flush.
    pub fn flush(&self) -> bool {
        self.flush
    }

    /// The transfer of the attempt in flight ended.
    pub fn on_transferred(&mut self, result: i32) -> Step {
        assert!(self.transferred.is_none(), "one completion for each request");
        assert!(self.left() > 0, "a bare flush transfers nothing");
        if self.is_quiet() {
            assert!(self.flushed.is_none(), "one completion for both");
            self.flushed = Some(-libc::ECANCELED);
        }
        self.transferred = Some(result);
        self.step()
    }

    /// The flush of the attempt in flight ended.
    pub fn on_flushed(&mut self, result: i32) -> Step {
        assert!(self.flush, "a flush that nobody asked for");
        assert!(self.flushed.is_none(), "one completion for each request");
        if self.is_quiet() {
            assert!(self.transferred.is_none(), "one completion for both");
            self.transferred = Some(self.left() as i32);
        }
        self.flushed = Some(result);
        self.step()
    }

    fn step(&mut self) -> Step {
        if self.flush && self.flushed.is_none() {
            return Step::Wait;
        }
        if self.left() > 0 && self.transferred.is_none() {
            return Step::Wait;
        }
        let (transferred, flushed) = (self.transferred.take(), self.flushed.take());
        let flush_failed = flushed.filter(|result| *result < 0 && *result != -libc::ECANCELED);
        if let Some(transferred) = transferred {
            match self.after_transfer(transferred) {
                Step::Done => {}
                other => return flush_failed.map_or(other, |result| Step::Failed(-result)),
            }
        }
        match flushed {
            // The link was cancelled although everything had been transferred: only the flush is left.
            Some(result) if result == -libc::ECANCELED => self.again_without_progress(libc::EIO),
            Some(result) if result < 0 => Step::Failed(-result),
            _ => Step::Done,
        }
    }

    fn after_transfer(&mut self, result: i32) -> Step {
        if result < 0 {
            let errno = -result;
            return match errno {
                libc::EINTR | libc::EAGAIN => self.again_without_progress(errno),
                // One request that writes and flushes does not tell which of the two found no space.
                libc::ENOSPC | libc::EDQUOT if !self.is_read && !self.is_dsync => Step::NoSpace,
                _ => Step::Failed(errno),
            };
        }
        let moved = result as usize;
        assert!(moved <= self.left(), "the kernel moved more than it was given");
        if self.is_read && moved == 0 {
            return Step::EndOfFile(self.done);
        }
        if moved == self.left() {
            self.done = self.length;
            return Step::Done;
        }
        if self.is_read && !moved.is_multiple_of(BLOCK_BYTES) {
            return Step::EndOfFile(self.done + moved);
        }
        // O_DIRECT goes on at a whole block; a torn block is transferred again.
        let progress = moved - moved % BLOCK_BYTES;
        if progress == 0 {
            return self.again_without_progress(libc::EIO);
        }
        self.done += progress;
        self.attempts_without_progress = 0;
        Step::Again
    }

    fn again_without_progress(&mut self, errno: i32) -> Step {
        self.attempts_without_progress += 1;
        if self.attempts_without_progress > ATTEMPTS_WITHOUT_PROGRESS_MAX {
            return Step::Failed(errno);
        }
        Step::Again
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const B: i32 = BLOCK_BYTES as i32;
    const CANCELED: i32 = -libc::ECANCELED;

    /// Feeds attempts of (transfer result, flush result) and returns the last step. Checks that the
    /// completions may come in either order.
    fn check(blocks: usize, attempts: &[(i32, i32)], expected: Step) {
        for flush_first in [false, true] {
            let mut transfer = Transfer::write(blocks * BLOCK_BYTES, true);
            let mut last = Step::Again;
            for (index, &(transferred, flushed)) in attempts.iter().enumerate() {
                assert_eq!(last, Step::Again, "attempt {index} of {attempts:?}");
                if transfer.left() == 0 {
                    last = transfer.on_flushed(flushed);
                } else if flush_first {
                    assert_eq!(transfer.on_flushed(flushed), Step::Wait);
                    last = transfer.on_transferred(transferred);
                } else {
                    assert_eq!(transfer.on_transferred(transferred), Step::Wait);
                    last = transfer.on_flushed(flushed);
                }
            }
            assert_eq!(last, expected, "{attempts:?}");
        }
    }

    #[test]
    fn a_durable_write_is_done_only_after_the_whole_of_it_and_its_own_flush() {
        check(4, &[(4 * B, 0)], Step::Done);
        // Short: the link breaks, the rest goes out with a flush of its own.
        check(4, &[(B, CANCELED)], Step::Again);
        check(4, &[(B, CANCELED), (3 * B, 0)], Step::Done);
        check(4, &[(B, CANCELED), (B, CANCELED), (2 * B, 0)], Step::Done);
        // A flush that ran after a short write covers only a part: not done.
        check(4, &[(B, 0)], Step::Again);
        // Torn block: transferred again from its start.
        check(4, &[(B + 512, CANCELED), (3 * B, 0)], Step::Done);
        check(4, &[(-libc::EINTR, CANCELED), (4 * B, 0)], Step::Done);
        check(4, &[(-libc::EIO, CANCELED)], Step::Failed(libc::EIO));
        check(4, &[(-libc::ENOSPC, CANCELED)], Step::NoSpace);
        check(4, &[(B, CANCELED), (-libc::EDQUOT, CANCELED)], Step::NoSpace);
        // Not the write but the flush: what was written before may be gone.
        check(4, &[(4 * B, -libc::ENOSPC)], Step::Failed(libc::ENOSPC));
        check(4, &[(-libc::ENOSPC, -libc::EIO)], Step::Failed(libc::EIO));
        check(4, &[(4 * B, -libc::EIO)], Step::Failed(libc::EIO));
        // A failed flush is final even if the write would have gone on.
        check(4, &[(B, -libc::EIO)], Step::Failed(libc::EIO));
        // Written in full, link cancelled: a bare flush follows.
        check(4, &[(4 * B, CANCELED), (0, 0)], Step::Done);
        check(4, &[(4 * B, CANCELED), (0, -libc::EIO)], Step::Failed(libc::EIO));
    }

    /// Feeds attempts of a quiet link: `Ok` is the flush's result, `Err` that of the write.
    fn check_quiet(blocks: usize, attempts: &[Result<i32, i32>], expected: Step) {
        let mut transfer = Transfer::write(blocks * BLOCK_BYTES, true).quiet(true);
        let mut last = Step::Again;
        for (index, attempt) in attempts.iter().enumerate() {
            assert_eq!(last, Step::Again, "attempt {index} of {attempts:?}");
            last = match *attempt {
                Ok(flushed) => transfer.on_flushed(flushed),
                Err(transferred) => transfer.on_transferred(transferred),
            };
        }
        assert_eq!(last, expected, "{attempts:?}");
    }

    #[test]
    fn a_quiet_link_ends_with_its_flush_or_with_what_was_wrong_with_its_write() {
        check_quiet(4, &[Ok(0)], Step::Done);
        check_quiet(4, &[Err(B), Ok(0)], Step::Done);
        check_quiet(4, &[Err(B + 512), Err(2 * B), Ok(0)], Step::Done);
        check_quiet(4, &[Err(-libc::EINTR), Ok(0)], Step::Done);
        check_quiet(4, &[Err(-libc::EIO)], Step::Failed(libc::EIO));
        check_quiet(4, &[Err(B), Err(-libc::ENOSPC)], Step::NoSpace);
        check_quiet(4, &[Ok(-libc::EIO)], Step::Failed(libc::EIO));
        check_quiet(4, &[Ok(-libc::ENOSPC)], Step::Failed(libc::ENOSPC));
        // The link was cut although the write was good: a bare flush follows, which is nobody's link.
        check_quiet(4, &[Ok(CANCELED), Ok(0)], Step::Done);
        // A write that tells of itself although it was good has lost its flush: the flush comes again.
        check_quiet(4, &[Err(4 * B), Ok(0)], Step::Done);
    }

    #[test]
    fn a_write_that_never_advances_ends_as_failed() {
        let mut transfer = Transfer::write(BLOCK_BYTES, false);
        let last = (0..100).map(|_| transfer.on_transferred(0)).find(|step| *step != Step::Again);
        assert_eq!(last, Some(Step::Failed(libc::EIO)));
    }

    #[test]
    fn reads_go_on_after_a_short_one_and_tell_the_end_of_the_file() {
        let mut transfer = Transfer::read(2 * BLOCK_BYTES);
        assert_eq!(transfer.on_transferred(B), Step::Again);
        assert_eq!((transfer.done(), transfer.left()), (BLOCK_BYTES, BLOCK_BYTES));
        assert_eq!(transfer.on_transferred(0), Step::EndOfFile(BLOCK_BYTES));
        let mut transfer = Transfer::read(2 * BLOCK_BYTES);
        assert_eq!(transfer.on_transferred(B + 7), Step::EndOfFile(BLOCK_BYTES + 7));
        let mut transfer = Transfer::read(BLOCK_BYTES);
        assert_eq!(transfer.on_transferred(B), Step::Done);
    }
}
