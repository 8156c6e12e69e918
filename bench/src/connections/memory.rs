//! Memory that is a process's own.

/// Anonymous memory of process `pid` in bytes, what is swapped out included: what it would not share with another.
pub fn anonymous_bytes(pid: u32) -> Result<u64, String> {
    let path = format!("/proc/{pid}/status");
    let status = std::fs::read_to_string(&path)
        .map_err(|error| format!("cannot read {path}: {error}; --server-pid names the server's process"))?;
    let kib = |name: &str| number_after(&status, name);
    let resident = kib("RssAnon:").ok_or_else(|| format!("{path} has no RssAnon"))?;
    Ok((resident + kib("VmSwap:").unwrap_or(0)) * 1024)
}

fn number_after(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_is_used_is_seen() {
        let before = anonymous_bytes(std::process::id()).expect("of this process");
        let used = vec![1_u8; 32 << 20];
        let after = anonymous_bytes(std::process::id()).expect("of this process");
        assert!(after >= before + (30 << 20), "{before} before, {after} after {} bytes", used.len());
        assert!(anonymous_bytes(u32::MAX).expect_err("no such process").contains("--server-pid"));
    }
}
