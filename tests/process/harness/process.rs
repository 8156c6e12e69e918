//! Child processes of tests: started, read, waited for with a limit, killed when dropped.

use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A process whose output is gathered.
pub struct Process {
    name: String,
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Process {
    /// Starts it with no input; standard output and error are read to the same list of lines.
    pub fn start(name: &str, mut command: Command) -> Process {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        let lines = Arc::new(Mutex::new(Vec::new()));
        let stdout = child.stdout.take().expect("piped");
        let stderr = child.stderr.take().expect("piped");
        gather(stdout, &lines);
        gather(stderr, &lines);
        Process { name: name.to_owned(), child, lines }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("process ids are small")
    }

    /// Everything printed so far.
    pub fn output(&self) -> String {
        self.lines.lock().expect("readers do not panic").join("\n")
    }

    /// Waits for a line; an error if the process ends or the limit passes before.
    pub fn wait_for_line(&mut self, limit: Duration, is_it: impl Fn(&str) -> bool) -> Result<(), String> {
        let deadline = Instant::now() + limit;
        loop {
            let ended = self.child.try_wait().expect("own child");
            if self.lines.lock().expect("readers do not panic").iter().any(|line| is_it(line)) {
                return Ok(());
            }
            if let Some(status) = ended {
                return Err(format!("{} ended with {status}:\n{}", self.name, self.output()));
            }
            if Instant::now() > deadline {
                return Err(format!("{} did not say it within {limit:?}:\n{}", self.name, self.output()));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits for its end.
    pub fn wait_end(&mut self, limit: Duration) -> ExitStatus {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait().expect("own child") {
                // Let the readers see the end of the output.
                std::thread::sleep(Duration::from_millis(50));
                return status;
            }
            assert!(
                Instant::now() < deadline,
                "{} did not end within {limit:?}:\n{}",
                self.name,
                self.output()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("own child").is_none()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Children of a supervisor follow it by themselves; take them too, in case one is stopped.
        for pid in children_of(self.pid()) {
            send(pid, Signal::KILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn gather(stream: impl Read + Send + 'static, lines: &Arc<Mutex<Vec<String>>>) {
    let lines = Arc::clone(lines);
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            lines.lock().expect("readers do not panic").push(line);
        }
    });
}

/// What a command that has ended left.
#[derive(Debug)]
pub struct Output {
    pub is_success: bool,
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Runs a command to its end; panics if that does not come within the limit.
pub fn run_limited(command: &mut Command, limit: Duration) -> Output {
    start_limited(command).wait(limit)
}

/// A command that runs while the test does other things.
pub struct Running {
    text: String,
    child: Child,
    stdout: Option<JoinHandle<String>>,
    stderr: Option<JoinHandle<String>>,
}

/// Starts a command.
pub fn start_limited(command: &mut Command) -> Running {
    let text = format!("{command:?}");
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.unwrap_or_else(|error| panic!("cannot run {text}: {error}"));
    let stdout = read_all(child.stdout.take().expect("piped"));
    let stderr = read_all(child.stderr.take().expect("piped"));
    Running { text, child, stdout: Some(stdout), stderr: Some(stderr) }
}

impl Running {
    /// Whether it has not ended yet.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("own child").is_none()
    }

    /// What Ctrl-C does.
    pub fn interrupt(&self) {
        send(i32::try_from(self.child.id()).expect("process ids are small"), Signal::INT);
    }

    /// Waits for its end; panics if that does not come within the limit.
    pub fn wait(mut self, limit: Duration) -> Output {
        let deadline = Instant::now() + limit;
        while self.is_running() {
            assert!(Instant::now() < deadline, "{} did not end within {limit:?}", self.text);
            std::thread::sleep(Duration::from_millis(10));
        }
        let status = self.child.wait().expect("own child");
        let join =
            |reader: Option<JoinHandle<String>>| reader.expect("waited for once").join().expect("reader");
        let (stdout, stderr) = (join(self.stdout.take()), join(self.stderr.take()));
        Output { is_success: status.success(), code: status.code(), stdout, stderr }
    }
}

/// How long a command that is given up may take to end what it has started itself.
const CLEAN_UP_MAX: Duration = Duration::from_secs(10);

impl Drop for Running {
    fn drop(&mut self) {
        if self.is_running() {
            send(i32::try_from(self.child.id()).expect("process ids are small"), Signal::TERM);
            let deadline = Instant::now() + CLEAN_UP_MAX;
            while self.is_running() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_all(mut stream: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Waits until something holds; panics after the limit.
pub fn wait_until(limit: Duration, what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !holds() {
        assert!(Instant::now() < deadline, "waited {limit:?} for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Sends a signal to one process by its id.
pub fn send(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = kill_process(pid, signal);
    }
}

/// Ids of a process's children that are not zombies.
pub fn children_of(parent: i32) -> Vec<i32> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // The name in parentheses may hold anything; fields are counted behind it: state, parent.
        let mut fields = stat.rsplit(')').next().unwrap_or("").split_whitespace();
        let state = fields.next();
        fields.next() == Some(&parent.to_string()) && state != Some("Z")
    })
    .collect()
}

/// A process's arguments, its name first.
pub fn arguments(pid: i32) -> Vec<String> {
    let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    bytes
        .split(|byte| *byte == 0)
        .filter(|word| !word.is_empty())
        .map(|w| String::from_utf8_lossy(w).into())
        .collect()
}
