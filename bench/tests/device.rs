//! The device target through the binary, as a user calls it: a file, both engines, all forms of report.

#![allow(clippy::disallowed_methods, clippy::unwrap_used)]

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

fn bench(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hexalog-bench")).current_dir(directory).args(arguments).output().unwrap()
}

fn scratch() -> tempfile::TempDir {
    // The build's own directory: /tmp may be a tmpfs, which knows no O_DIRECT.
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_job_file_with_both_engines_is_run_reported_compared_and_drawn() {
    let directory = scratch();
    let file = "\
[global]
target=device
filename=data
size=4m
runtime=1
ramp_time=0
[append]
rw=append
[sync]
stonewall
ioengine=sync
rw=append
bs=64k
[reads]
stonewall
rw=randread
iodepth=8
numjobs=2
[mixed]
stonewall
rw=randrw
rate_iops=50
";
    std::fs::write(directory.path().join("jobs.ini"), file).unwrap();
    let arguments = ["jobs.ini", "--output-format=normal,json+", "--output=report", "--plot=plot.html"];
    let done = bench(directory.path(), &arguments);
    assert!(done.status.success(), "{}", text(&done.stderr));
    let report = std::fs::read_to_string(directory.path().join("report")).unwrap();
    let (normal, json) = report.split_once("\n{").unwrap();
    for part in ["append: rw=append, bs=4.0KiB, target=device", "clat percentiles", "issued rwts"] {
        assert!(normal.contains(part), "{part} is missing: {normal}");
    }
    let json: Value = serde_json::from_str(&format!("{{{json}")).unwrap();
    let jobs = json["jobs"].as_array().unwrap();
    let ios = |job: usize, side: &str| jobs[job][side]["total_ios"].as_u64().unwrap();
    assert!(ios(0, "write") > 0 && ios(1, "write") > 0 && ios(2, "read") > 0);
    assert!(ios(3, "read") > 0 && ios(3, "write") > 0 && ios(3, "read") + ios(3, "write") <= 51);
    assert_eq!((ios(0, "read"), ios(2, "write")), (0, 0));
    let size = std::fs::metadata(directory.path().join("data")).unwrap().len();
    assert_eq!(size, 4 << 20, "nothing is written beyond the size");

    let json = serde_json::to_string(&json).unwrap();
    std::fs::write(directory.path().join("a.json"), json).unwrap();
    let done = bench(directory.path(), &["compare", "a.json", "a.json", "--plot=both.html"]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    let table = text(&done.stdout);
    assert!(table.contains("append : append") && table.contains("1.000"), "{table}");
    for page in ["plot.html", "both.html"] {
        let page = std::fs::read_to_string(directory.path().join(page)).unwrap();
        assert!(page.starts_with("<!DOCTYPE html>") && page.contains("Latency over time"));
    }
}

#[test]
fn mistakes_are_told_apart_from_failures() {
    let directory = scratch();
    std::fs::write(directory.path().join("wrong.ini"), "[a]\niodpeth=4\n").unwrap();
    for (arguments, code, complaint) in [
        (&["wrong.ini"][..], 2, "wrong.ini:2: unknown option \"iodpeth\"; did you mean \"iodepth\"?"),
        (&["--target=device", "--filename=x", "--bs=1000"], 2, "not a multiple of the block"),
        (&["missing.ini"], 2, "cannot read missing.ini"),
        (&["--target=device", "--filename=missing"], 1, "with size it would be made"),
        (
            &["--target=device", "--filename=x", "--size=4k", "--numjobs=2"],
            1,
            "not one block of 4096 for each",
        ),
        (&["--target=device", "--filename=x", "--size=4k", "--ioengine=glommio"], 1, "not in this build"),
        (&["compare", "wrong.ini", "wrong.ini"], 1, "no report"),
    ] {
        let done = bench(directory.path(), arguments);
        let told = text(&done.stderr);
        assert_eq!(done.status.code(), Some(code), "{arguments:?}: {told}");
        assert!(told.contains(complaint), "{arguments:?}: {told}");
    }
}
