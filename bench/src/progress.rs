//! The line that lives while jobs run, as fio's: how far, how fast, how long still.

use crate::load::Direction;
use crate::load::recorder::SecondPart;
use crate::options::Job;
use crate::options::command_line::Progress;
use crate::report::numbers::{short, short_bytes};
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Redrawn no more often than this.
const PAUSE: Duration = Duration::from_millis(500);

/// Written to standard error, over itself.
pub struct ProgressLine<'a> {
    jobs: &'a [Job],
    is_shown: bool,
    shown_at: Option<Instant>,
    /// By job: its newest whole second, and operations in it by direction.
    newest: Vec<(usize, [u64; 2])>,
    width: usize,
}

impl<'a> ProgressLine<'a> {
    /// Of a group of jobs.
    pub fn new(jobs: &'a [Job], progress: Progress) -> ProgressLine<'a> {
        let is_shown = match progress {
            Progress::Auto => std::io::stderr().is_terminal(),
            Progress::Always => true,
            Progress::Never => false,
        };
        ProgressLine { jobs, is_shown, shown_at: None, newest: vec![(0, [0; 2]); jobs.len()], width: 0 }
    }

    /// A worker's second has ended.
    pub fn note(&mut self, part: &SecondPart) {
        let (second, counts) = &mut self.newest[part.job];
        if part.second > *second {
            (*second, *counts) = (part.second, [0; 2]);
        }
        if part.second == *second {
            counts.iter_mut().zip(&part.lat_ns).for_each(|(count, lat)| *count += lat.len());
        }
    }

    /// Draws, if it is time; `elapsed` is since the first operations.
    pub fn show(&mut self, elapsed: Option<Duration>) {
        let Some(elapsed) = elapsed.filter(|_| self.is_shown) else { return };
        if self.shown_at.is_some_and(|at| at.elapsed() < PAUSE) {
            return;
        }
        self.shown_at = Some(Instant::now());
        let text = self.text(elapsed);
        let width = std::mem::replace(&mut self.width, text.len());
        // Nobody is harmed if the terminal is gone.
        let _ = write!(std::io::stderr(), "\r{text:<width$}");
        let _ = std::io::stderr().flush();
    }

    /// Wipes the line.
    pub fn clear(&self) {
        if self.width > 0 {
            let _ = write!(std::io::stderr(), "\r{:width$}\r", "", width = self.width);
        }
    }

    fn text(&self, elapsed: Duration) -> String {
        let total = self.jobs.iter().map(|job| job.ramp_time + job.runtime).max().unwrap_or_default();
        let part = 100.0 * (elapsed.as_secs_f64() / total.as_secs_f64()).min(1.0);
        let left = total.saturating_sub(elapsed).as_secs();
        let mut text = format!("Jobs: {}: [{part:.1}%]", self.jobs.len());
        for (name, direction) in [("r", Direction::Read), ("w", Direction::Write)] {
            let counts = self.jobs.iter().zip(&self.newest).map(|(job, (_, counts))| {
                let bytes = if direction == Direction::Read { job.read_bytes() } else { job.write_bytes() };
                (counts[direction as usize], counts[direction as usize] * bytes)
            });
            let (ios, bytes) = counts.fold((0, 0), |sum, own| (sum.0 + own.0, sum.1 + own.1));
            if ios > 0 {
                text +=
                    &format!("[{name}={}/s][{name}={} IOPS]", short_bytes(bytes as f64), short(ios as f64));
            }
        }
        text + &format!("[eta {:02}m:{:02}s]", left / 60, left % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::recorder::second_side;

    #[test]
    fn it_tells_the_newest_second_over_all_jobs() {
        let jobs = [Job::default()];
        let mut line = ProgressLine::new(&jobs, Progress::Never);
        for second in [0, 1, 1] {
            let mut lat_ns = [second_side(), second_side()];
            lat_ns[Direction::Write as usize].record_n(1000, 2048).expect("in range");
            line.note(&SecondPart { job: 0, second, lat_ns });
        }
        let text = line.text(Duration::from_secs(5));
        assert_eq!(text, "Jobs: 1: [45.5%][w=1024KiB/s][w=4096 IOPS][eta 00m:06s]");
    }
}
