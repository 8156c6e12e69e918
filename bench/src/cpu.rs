//! CPU time of a process, from /proc.

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

    /// What several processes have used together; `None` if none is named or one is not there.
    pub fn of_all(pids: &[u32]) -> Option<CpuTime> {
        let times = pids.iter().map(|pid| CpuTime::of(*pid)).collect::<Option<Vec<_>>>()?;
        let add = |a: CpuTime, b: CpuTime| CpuTime {
            user_us: a.user_us + b.user_us,
            system_us: a.system_us + b.system_us,
        };
        times.into_iter().reduce(add)
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
