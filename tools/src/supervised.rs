//! A child's side of being supervised: it ends when its supervisor does.

use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

/// Environment variable with the supervisor's process id.
pub const SUPERVISOR_VARIABLE: &str = "HEXALOG_SUPERVISOR";

/// If this process was started by a supervisor: asks the kernel for SIGTERM when that one ends, however it ends.
pub fn follow_supervisor() -> Result<(), String> {
    let Some(supervisor) = std::env::var_os(SUPERVISOR_VARIABLE) else { return Ok(()) };
    let supervisor: i32 = supervisor
        .to_str()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| format!("{SUPERVISOR_VARIABLE} is not a process id"))?;
    set_parent_process_death_signal(Some(Signal::TERM))
        .map_err(|error| format!("cannot follow the supervisor: {error}"))?;
    // It may have ended before the line above.
    if getppid().map(Pid::as_raw_nonzero).is_some_and(|parent| parent.get() == supervisor) {
        Ok(())
    } else {
        Err("the supervisor has ended".to_owned())
    }
}
