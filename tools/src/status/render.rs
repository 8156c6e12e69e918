//! The report as tables for people and as one JSON document.

use super::collect::Collected;
use super::report::{GroupReport, Report};
use hexalog_protocol::Lsn;
use hexalog_protocol::message::{SegmentState, SegmentStatus, Status};
use serde_json::{Map, Value, json};
use std::fmt::Write;

/// Tables.
pub fn text(report: &Report, collected: &Collected) -> String {
    let mut out = String::new();
    volume(&mut out, report, collected);
    out.push('\n');
    daemons(&mut out, collected);
    out.push('\n');
    groups(&mut out, report);
    compute_counters(&mut out, collected);
    out.push('\n');
    if report.problems.is_empty() {
        out.push_str("all is well\n");
    }
    for problem in &report.problems {
        let _ = writeln!(out, "{problem}");
    }
    out
}

fn volume(out: &mut String, report: &Report, collected: &Collected) {
    let record = &collected.record;
    let compute = collected.compute.as_ref().and_then(|(_, answer)| answer.as_ref().ok());
    let number = |name: &str| compute.and_then(|answer| answer[name].as_u64());
    let display = |value: Option<u64>| value.map_or("unknown".to_owned(), |value| value.to_string());
    let _ = writeln!(out, "volume      {} ({})", collected.name, record.volume);
    let _ = writeln!(out, "epoch       {} in metadata, {} on storage", record.epoch, report.writer.epoch);
    let _ = writeln!(
        out,
        "geometry    {} groups of {} pages, epoch {}",
        record.groups, record.pages_per_group, record.geometry_epoch
    );
    let vdl = number("vdl").map_or(report.vdl.0, |vdl| vdl.max(report.vdl.0));
    let _ = writeln!(out, "VDL         {vdl}");
    let _ = writeln!(out, "VCL         {}", display(number("vcl")));
    let _ = writeln!(out, "allocated   {}", display(number("allocated")));
    let _ = match &collected.compute {
        Some((record, Ok(answer))) => writeln!(
            out,
            "compute     {} {}, epoch {}, {} sessions",
            record.listen,
            answer["state"].as_str().unwrap_or("in an unknown state"),
            answer["epoch"],
            answer["sessions"],
        ),
        Some((record, Err(_))) => writeln!(out, "compute     {} does not answer", record.listen),
        None => writeln!(out, "compute     none yet"),
    };
}

fn daemons(out: &mut String, collected: &Collected) {
    let mut rows = vec![
        ["daemon", "az", "shard", "address", "state", "log free", "extents free", "segments"]
            .map(String::from),
    ];
    for shard in &collected.shards {
        let address = shard.node.address(shard.shard).map_or_else(String::new, |address| address.to_string());
        let status = shard.status.as_ref().ok();
        let bytes =
            |name: &str| counter(status, name).map_or_else(|| "-".to_owned(), crate::sizes::display_bytes);
        rows.push([
            shard.node.node.to_string(),
            shard.node.az.clone(),
            shard.shard.to_string(),
            address,
            match status {
                Some(status) if status.failure.is_empty() => "up",
                Some(_) => "failed",
                None => "down",
            }
            .to_owned(),
            bytes("log_bytes_free"),
            counter(status, "extents_free").map_or_else(|| "-".to_owned(), |count| count.to_string()),
            status.map_or_else(|| "-".to_owned(), |status| status.segments.len().to_string()),
        ]);
    }
    columns(out, &rows);
}

fn counter(status: Option<&Status>, name: &str) -> Option<u64> {
    status?.counters.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
}

fn groups(out: &mut String, report: &Report) {
    let mut rows = vec![
        ["group", "daemon", "state", "epoch", "SCL", "lag", "complete through", "PGCL"].map(String::from),
    ];
    let dash = || "-".to_owned();
    for group in &report.groups {
        for (index, member) in group.members.iter().enumerate() {
            let segment = member.segment.as_ref();
            let first = index == 0;
            rows.push([
                if first { group.group.to_string() } else { String::new() },
                member.node.to_string(),
                segment.map_or_else(|| "no answer".to_owned(), state),
                segment.map_or_else(dash, |segment| segment.writer.epoch.to_string()),
                segment.map_or_else(dash, |segment| segment.scl.to_string()),
                member.lag.map_or_else(dash, |lag| lag.to_string()),
                segment.map_or_else(dash, |segment| segment.complete_through.to_string()),
                if first { group.pgcl.map_or_else(dash, |pgcl| pgcl.to_string()) } else { String::new() },
            ]);
        }
    }
    columns(out, &rows);
}

fn compute_counters(out: &mut String, collected: &Collected) {
    let Some((_, Ok(answer))) = &collected.compute else { return };
    let Some(counters) = answer["counters"].as_object() else { return };
    let each: Vec<String> = counters.iter().map(|(name, value)| format!("{name} {value}")).collect();
    let _ = writeln!(out, "\ncompute counters: {}", each.join(", "));
}

/// A segment's state for people: how far it is, if it is getting all its pages from a peer.
fn state(segment: &SegmentStatus) -> String {
    match (segment.state, segment.hydration_pages_total) {
        (SegmentState::NeedsHydration, 1..) => {
            format!("hydrating {}/{}", segment.hydration_pages_done, segment.hydration_pages_total)
        }
        (SegmentState::Damaged, 1..) => {
            format!("damaged {}/{}", segment.hydration_pages_done, segment.hydration_pages_total)
        }
        (state, _) => state_name(state).to_owned(),
    }
}

fn state_name(state: SegmentState) -> &'static str {
    match state {
        SegmentState::Opening => "opening",
        SegmentState::Open => "open",
        SegmentState::Damaged => "damaged",
        SegmentState::NeedsHydration => "needs hydration",
    }
}

/// Rows with each column as wide as its widest cell.
fn columns<const N: usize>(out: &mut String, rows: &[[String; N]]) {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    for row in rows {
        let cells: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        let _ = writeln!(out, "{}", cells.join("  ").trim_end());
    }
}

/// One JSON document.
pub fn json(report: &Report, collected: &Collected) -> Value {
    let record = &collected.record;
    let compute = collected.compute.as_ref().map(|(record, answer)| match answer {
        Ok(answer) => json!({"listen": record.listen.to_string(), "answers": true, "report": answer}),
        Err(why) => json!({"listen": record.listen.to_string(), "answers": false, "error": why}),
    });
    json!({
        "volume": collected.name,
        "volume_id": record.volume.to_string(),
        "epoch_metadata": record.epoch.0,
        "epoch_storage": report.writer.epoch.0,
        "geometry_epoch": record.geometry_epoch.0,
        "groups_count": record.groups,
        "pages_per_group": record.pages_per_group,
        "vdl_heard": report.vdl.0,
        "compute": compute,
        "daemons": collected.shards.iter().map(json_shard).collect::<Vec<_>>(),
        "groups": report.groups.iter().map(json_group).collect::<Vec<_>>(),
        "problems": report.problems,
    })
}

fn json_shard(shard: &super::collect::ShardAnswer) -> Value {
    let address = shard.node.address(shard.shard).map(|address| address.to_string());
    let mut value = json!({
        "node": shard.node.node.0,
        "az": shard.node.az,
        "shard": shard.shard.0,
        "address": address,
        "answers": shard.status.is_ok(),
    });
    match &shard.status {
        Ok(status) => {
            let counters: Map<String, Value> =
                status.counters.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
            value["counters"] = Value::Object(counters);
            value["failure"] = json!(status.failure);
        }
        Err(why) => value["error"] = json!(why),
    }
    value
}

fn json_group(group: &GroupReport) -> Value {
    let lsn = |lsn: Lsn| json!(lsn.0);
    let members: Vec<Value> = group
        .members
        .iter()
        .map(|member| match &member.segment {
            None => json!({"node": member.node.0, "answers": false}),
            Some(segment) => json!({
                "node": member.node.0,
                "answers": true,
                "segment": format!("{:016x}", segment.segment.0),
                "state": state_name(segment.state),
                "epoch": segment.writer.epoch.0,
                "scl": lsn(segment.scl),
                "lag": member.lag,
                "vdl_heard": lsn(segment.vdl_heard),
                "complete_through": lsn(segment.complete_through),
                "gc_floor": lsn(segment.gc_floor),
                "pages": segment.pages,
                "records_pending": segment.records_pending,
                "hydration_pages_done": segment.hydration_pages_done,
                "hydration_pages_total": segment.hydration_pages_total,
            }),
        })
        .collect();
    json!({
        "group": group.group.0,
        "pgcl": group.pgcl.map(lsn),
        "scl_max": lsn(group.scl_max),
        "members_up": group.members_up,
        "members": members,
    })
}
