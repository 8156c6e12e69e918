//! CPU time of processes, and what else fio tells of its own, from /proc.

/// User and system time in microseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CpuTime {
    /// In user mode.
    pub user_us: u64,
    /// In the kernel.
    pub system_us: u64,
}

/// The kernel tells both in ticks of 1/100 s (USER_HZ, the same on every architecture that Linux tells it for).
const TICK_US: u64 = 10_000;

impl CpuTime {
    /// What process `pid` has used so far; `None` if it is not there.
    pub fn of(pid: u32) -> Option<CpuTime> {
        parse(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// What several processes have used together, of those that are there; `None` if none is.
    pub fn of_all(pids: &[u32]) -> Option<CpuTime> {
        let times = pids.iter().filter_map(|pid| CpuTime::of(*pid));
        let add = |a: CpuTime, b: CpuTime| CpuTime {
            user_us: a.user_us + b.user_us,
            system_us: a.system_us + b.system_us,
        };
        times.reduce(add)
    }

    /// What was used since `earlier`.
    pub fn since(self, earlier: CpuTime) -> CpuTime {
        CpuTime {
            user_us: self.user_us.saturating_sub(earlier.user_us),
            system_us: self.system_us.saturating_sub(earlier.system_us),
        }
    }

    /// Both together.
    pub fn total_us(self) -> u64 {
        self.user_us + self.system_us
    }
}

/// What this process has used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    /// On the cores.
    pub cpu: CpuTime,
    /// Context switches of the threads that are there.
    pub switches: u64,
    /// Page faults that needed the disk.
    pub faults_major: u64,
    /// Those that did not.
    pub faults_minor: u64,
}

impl Usage {
    /// Until now.
    pub fn own() -> Usage {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let field = |number: usize| {
            let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
            fields.split_whitespace().nth(number - 3).and_then(|text| text.parse().ok()).unwrap_or(0)
        };
        let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
        let statuses = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("status")).ok());
        Usage {
            cpu: parse(&stat).unwrap_or_default(),
            switches: statuses.map(|status| switches(&status)).sum(),
            faults_major: field(12),
            faults_minor: field(10),
        }
    }

    /// What was used since `earlier`.
    pub fn since(self, earlier: Usage) -> Usage {
        Usage {
            cpu: self.cpu.since(earlier.cpu),
            switches: self.switches.saturating_sub(earlier.switches),
            faults_major: self.faults_major.saturating_sub(earlier.faults_major),
            faults_minor: self.faults_minor.saturating_sub(earlier.faults_minor),
        }
    }
}

fn switches(status: &str) -> u64 {
    let lines = status.lines().filter(|line| line.contains("ctxt_switches:"));
    lines.filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).sum()
}

fn parse(stat: &str) -> Option<CpuTime> {
    // The name, in parentheses, may itself hold anything: the fields begin behind the last one. The first there is
    // field 3; 14 and 15 are the times.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(14 - 3);
    let mut next = || fields.next()?.parse::<u64>().ok().map(|ticks| ticks * TICK_US);
    Some(CpuTime { user_us: next()?, system_us: next()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_process_name_does_not_shift_the_fields() {
        let stat = "7 (a) b) (c) S 1 7 7 0 -1 4194560 100 0 0 0 25 17 0 0 20 0 1 0 5 0 0";
        assert_eq!(parse(stat), Some(CpuTime { user_us: 250_000, system_us: 170_000 }));
        assert!(CpuTime::of(std::process::id()).is_some());
    }
}
