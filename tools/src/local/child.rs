//! One supervised process: its command, its output, its death.

use crate::exit::{Code, Failure};
use crate::local::data_dir::io_failure;
use crate::supervised::SUPERVISOR_VARIABLE;
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child as Process, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// What kind of process a child is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A storage daemon: this binary under the name hexalogd.
    Daemon,
    /// The compute process.
    Compute,
}

/// A child as it is started, and started again.
#[derive(Clone, Debug)]
pub struct ChildSpec {
    /// For messages and the log file: `node-1`, `compute`.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Where its output goes.
    pub log: PathBuf,
}

impl ChildSpec {
    /// The command that starts it by hand, for any shell.
    pub fn command_line(&self) -> String {
        let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("hexalog"));
        let mut words = vec![quote(&program.to_string_lossy())];
        if self.kind == Kind::Daemon {
            words.push("daemon".to_owned());
        }
        words.extend(self.arguments.iter().map(|argument| quote(&argument.to_string_lossy())));
        words.join(" ")
    }

    /// Starts it in a process group of its own, so that Ctrl-C reaches the supervisor alone, which then stops the
    /// children in order.
    pub fn start(&self) -> Result<Child, Failure> {
        let cannot = |error: &std::io::Error| {
            Failure::new(Code::Failed, format!("cannot start {}: {error}", self.name))
        };
        let program = std::env::current_exe().map_err(|error| cannot(&error))?;
        let log = OpenOptions::new().create(true).append(true).open(&self.log);
        let log = log.map_err(|error| io_failure(&self.log, "cannot write", &error))?;
        let log_start = log.metadata().map_or(0, |metadata| metadata.len());
        let stderr = log.try_clone().map_err(|error| cannot(&error))?;
        let mut command = Command::new(program);
        if self.kind == Kind::Daemon {
            command.arg0("hexalogd");
        }
        command
            .args(&self.arguments)
            .env(SUPERVISOR_VARIABLE, std::process::id().to_string())
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(stderr)
            .process_group(0);
        let process = command.spawn().map_err(|error| cannot(&error))?;
        Ok(Child { spec: self.clone(), process, log_start, started: Instant::now() })
    }
}

/// A child that was started. Killed when dropped, if it still runs.
pub struct Child {
    /// How it was started.
    pub spec: ChildSpec,
    process: Process,
    /// Where in the log file its own output begins.
    log_start: u64,
    /// When it was started.
    pub started: Instant,
}

impl Child {
    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.process.try_wait().ok().flatten()
    }

    /// Asks it to stop.
    pub fn terminate(&self) {
        if let Some(pid) = i32::try_from(self.id()).ok().and_then(Pid::from_raw) {
            // It may have ended already; not yet waited for, its id cannot be another's.
            let _ = kill_process(pid, Signal::TERM);
        }
    }

    /// Waits until it has ended; after `patience` it is killed.
    pub async fn wait_or_kill(&mut self, patience: Duration) {
        let deadline = Instant::now() + patience;
        while self.ended().is_none() {
            if Instant::now() >= deadline {
                let _ = self.process.kill();
                let _ = self.process.wait();
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The end of what it has printed since it was started.
    pub fn last_words(&self) -> String {
        const BYTES_MAX: u64 = 16_384;
        let read = || -> std::io::Result<String> {
            let mut log = File::open(&self.spec.log)?;
            let end = log.metadata()?.len();
            log.seek(SeekFrom::Start(self.log_start.max(end.saturating_sub(BYTES_MAX))))?;
            let mut bytes = Vec::new();
            log.read_to_end(&mut bytes)?;
            Ok(without_backtrace(&String::from_utf8_lossy(&bytes)))
        };
        read().unwrap_or_default()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.ended().is_none() {
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}

/// The last lines of an output; of a panic its message only, the rest is in the log file.
fn without_backtrace(output: &str) -> String {
    const LINES_MAX: usize = 20;
    let is_backtrace = |line: &&str| line.trim() == "stack backtrace:";
    let lines: Vec<&str> = output.lines().take_while(|line| !is_backtrace(line)).collect();
    lines[lines.len().saturating_sub(LINES_MAX)..].join("\n").trim().to_owned()
}

/// How a process ended, in words.
pub fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "an unknown end".to_owned(),
    }
}

/// Quotes a word for a POSIX shell where it needs it.
pub fn quote(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_needed() {
        for (word, expected) in
            [("--listen", "--listen"), ("", "''"), ("a b", "'a b'"), ("it's", r"'it'\''s'"), ("$x", "'$x'")]
        {
            assert_eq!(quote(word), expected);
        }
    }
}
