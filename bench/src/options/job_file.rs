//! Job files, as fio's: sections of `option=value`, `[global]` for all that follow.

use super::Job;
use super::table;

/// Jobs of a file. `global` has what the command line gave for all of them; `file` names the file in complaints.
pub fn parse(text: &str, file: &str, global: &Job) -> Result<Vec<Job>, String> {
    let mut global = global.clone();
    let mut jobs: Vec<Job> = Vec::new();
    let mut is_global = None;
    for (number, line) in (1..).zip(text.lines()) {
        let wrong = |complaint: String| format!("{file}:{number}: {complaint}");
        let line = line.trim();
        if line.is_empty() || line.starts_with([';', '#']) {
            continue;
        }
        if let Some(section) = line.strip_prefix('[') {
            let name = section.strip_suffix(']').map(str::trim).filter(|name| !name.is_empty());
            let name = name.ok_or_else(|| wrong(format!("\"{line}\" is not a section; write [name]")))?;
            is_global = Some(name == "global");
            if name != "global" {
                jobs.push(Job { name: name.to_owned(), ..global.clone() });
            }
            continue;
        }
        let job = match is_global {
            Some(true) => &mut global,
            Some(false) => jobs.last_mut().expect("a section was begun"),
            None => return Err(wrong("an option before the first section; begin with [global]".to_owned())),
        };
        let (name, value) = line.split_once('=').unwrap_or((line, ""));
        table::set(job, name.trim(), value.trim()).map_err(wrong)?;
    }
    if jobs.is_empty() {
        return Err(format!("{file}: there is no job; add a section such as [append]"));
    }
    Ok(jobs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{ReadWrite, Target};

    const FILE: &str = "\
; two jobs
[global]
target=node
bs=512
iodepth=8
time_based

[append]
rw=append

# the other
[pages]
stonewall
rw=randread
iodepth=32
";

    #[test]
    fn sections_take_over_what_global_has_and_override_it() {
        let jobs = parse(FILE, "jobs.ini", &Job::default()).expect("parses");
        let seen =
            jobs.iter().map(|job| (job.name.as_str(), job.load(), job.bs(), job.iodepth, job.stonewall));
        assert_eq!(
            seen.collect::<Vec<_>>(),
            [("append", ReadWrite::Append, 512, 8, false), ("pages", ReadWrite::Randread, 512, 32, true)]
        );
        assert!(jobs.iter().all(|job| job.target == Target::Node));
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        for (text, complaint) in [
            ("[a]\niodpeth=4", "jobs.ini:2: unknown option \"iodpeth\"; did you mean \"iodepth\"?"),
            ("[a]\n\nbs=4x", "jobs.ini:3: bs: \"4x\" is not a size"),
            ("bs=4k", "jobs.ini:1: an option before the first section"),
            ("[a\nbs=4k", "jobs.ini:1: \"[a\" is not a section"),
            ("[global]\nbs=4k", "jobs.ini: there is no job"),
            ("[a]\niodepth=0", "jobs.ini:2: iodepth: 0 is out of range"),
            ("[a]\nioengine=libaio", "jobs.ini:2: ioengine: \"libaio\" is not one of hexalog, sync"),
            ("[a]\ntime_based=0", "jobs.ini:2: time_based: "),
        ] {
            let error = parse(text, "jobs.ini", &Job::default()).expect_err(text);
            assert!(error.starts_with(complaint), "{text:?} gave {error:?}");
        }
    }
}
