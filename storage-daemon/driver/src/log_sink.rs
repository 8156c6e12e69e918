//! Where the driver's lines for the operator go, and the bound on how many.
//!
//! A hostile or broken peer must not be able to fill a disk with log lines: beyond [`LINES_PER_SECOND_MAX`]
//! they are counted, and the count is told with the next line that passes.

use std::sync::Arc;

/// Takes one line, without a newline. Called from every shard thread.
pub type LogLine = Arc<dyn Fn(&str) + Send + Sync>;

/// A guess: an operator can read this much, and 20 lines a second of 200 bytes are 350 MB a day at worst.
pub const LINES_PER_SECOND_MAX: u32 = 20;

/// The lines of one thread.
pub struct LogSink {
    line: LogLine,
    second: u64,
    lines_in_second: u32,
    suppressed: u64,
}

impl LogSink {
    /// Lines go to `line`.
    pub fn new(line: LogLine) -> LogSink {
        LogSink { line, second: 0, lines_in_second: 0, suppressed: 0 }
    }

    /// Logs a line, or counts it if there were too many in this second.
    pub fn log(&mut self, now_us: u64, text: &str) {
        let second = now_us / 1_000_000;
        if second != self.second {
            (self.second, self.lines_in_second) = (second, 0);
        }
        if self.lines_in_second >= LINES_PER_SECOND_MAX {
            self.suppressed += 1;
            return;
        }
        self.lines_in_second += 1;
        if self.suppressed > 0 {
            (self.line)(&format!("{} log lines were left out", self.suppressed));
            self.suppressed = 0;
        }
        (self.line)(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn a_flood_is_cut_and_counted() {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let seen = lines.clone();
        let mut sink = LogSink::new(Arc::new(move |line| seen.lock().unwrap().push(line.to_string())));
        for _ in 0..100 {
            sink.log(1_500_000, "flood");
        }
        assert_eq!(lines.lock().unwrap().len(), LINES_PER_SECOND_MAX as usize);
        sink.log(2_000_000, "calm");
        let lines = lines.lock().unwrap();
        assert_eq!(lines[lines.len() - 2..], ["80 log lines were left out", "calm"]);
    }
}
