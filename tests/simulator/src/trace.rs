//! The event trace: hashed always, printed on request, its end kept for whoever looks at a failure.
//!
//! Events are in the words of the glossary. What is costly to say (the content of frames) is said only when the trace is
//! printed or kept; the hash takes in its numbers.

use crate::network::End;
use crate::world::VOLUME;
use hexalog_protocol::PAGE_SIZE;
use hexalog_protocol::batch::Batch;
use hexalog_protocol::frame::Frame;
use hexalog_protocol::message::Message;
use std::collections::VecDeque;

/// Events kept for a failure's report.
const KEPT_MAX: usize = 40;
/// Events kept for a diagram.
const DRAWN_MAX: usize = 600;

/// An event as a diagram shows it.
#[derive(Clone, Debug)]
pub enum Drawn {
    /// Something happened, perhaps in one process.
    Note(String),
    /// A frame arrived.
    Frame {
        /// Who sent it.
        from: End,
        /// Who got it.
        to: End,
        /// What it says.
        text: String,
    },
}

/// What became of a run, event by event.
pub struct Trace {
    hash: u64,
    is_printed: bool,
    is_kept: bool,
    kept: VecDeque<(u64, Drawn)>,
}

impl Trace {
    /// Only hashed.
    pub fn hashed() -> Trace {
        Trace { hash: 0xcbf2_9ce4_8422_2325, is_printed: false, is_kept: false, kept: VecDeque::new() }
    }

    /// Printed as it goes.
    pub fn printed() -> Trace {
        Trace { is_printed: true, ..Trace::hashed() }
    }

    /// Its end is kept.
    pub fn kept() -> Trace {
        Trace { is_kept: true, ..Trace::hashed() }
    }

    /// Hash over every event so far, in order.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// Whether anyone will read it.
    pub fn is_read(&self) -> bool {
        self.is_printed || self.is_kept
    }

    fn add(&mut self, bytes: impl IntoIterator<Item = u8>) {
        for byte in bytes {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn keep(&mut self, now_us: u64, drawn: Drawn) {
        if self.kept.len() == DRAWN_MAX {
            self.kept.pop_front();
        }
        self.kept.push_back((now_us, drawn));
    }

    /// Something happened.
    pub fn note(&mut self, now_us: u64, text: &str) {
        self.add(text.bytes().chain(now_us.to_le_bytes()));
        if self.is_printed {
            println!("{now_us:>10} us  {text}");
        }
        if self.is_kept {
            self.keep(now_us, Drawn::Note(text.to_owned()));
        }
    }

    /// A frame arrived.
    pub fn delivered(&mut self, now_us: u64, from: End, to: End, frame: &Frame<'_>) {
        let numbers = [now_us, number_of(from), number_of(to), u64::from(frame.kind), frame.request_id];
        self.add(numbers.into_iter().flat_map(u64::to_le_bytes));
        if !self.is_read() {
            return;
        }
        let text = describe(frame);
        if self.is_printed {
            println!("{now_us:>10} us  {} -> {}: {text}", name_of(from), name_of(to));
        }
        if self.is_kept {
            self.keep(now_us, Drawn::Frame { from, to, text });
        }
    }

    /// The last events, oldest first.
    pub fn last_events(&self) -> Vec<String> {
        let skipped = self.kept.len().saturating_sub(KEPT_MAX);
        let line = |(at, drawn): &(u64, Drawn)| match drawn {
            Drawn::Note(text) => format!("{at:>10} us  {text}"),
            Drawn::Frame { from, to, text } => {
                format!("{at:>10} us  {} -> {}: {text}", name_of(*from), name_of(*to))
            }
        };
        self.kept.iter().skip(skipped).map(line).collect()
    }

    /// What a diagram is made of.
    pub fn drawn(&self) -> &VecDeque<(u64, Drawn)> {
        &self.kept
    }
}

fn number_of(end: End) -> u64 {
    match end {
        End::Shard { shard, run, id } => (shard as u64) << 48 ^ run << 32 ^ id.0,
        End::Writer { run, link } => 1 << 63 ^ run << 32 ^ link.0 as u64,
    }
}

/// A process as people call it.
pub fn name_of(end: End) -> String {
    match end {
        End::Shard { shard, .. } => format!("shard {shard}"),
        End::Writer { run: 0, .. } => "control plane".to_owned(),
        End::Writer { run, .. } => format!("writer {run}"),
    }
}

/// What a frame says; batches by what they hold.
fn describe(frame: &Frame<'_>) -> String {
    let ranges = |batch: Batch<'_>| {
        format!("{:?}:{}->{}..{}", batch.group, batch.backlink.0, batch.first.0, batch.last.0)
    };
    match Message::decode(frame).expect("processes send valid messages") {
        Message::Write(write) => {
            let batches: Vec<_> = write.batches().flatten().map(|(_, batch)| ranges(batch)).collect();
            format!("Write {:?} {batches:?}", write.head)
        }
        Message::GossipPush(push) => {
            let batches: Vec<_> = push.iter().flatten().map(ranges).collect();
            let (scl, log_from, vdl) = (push.scl.0, push.log_from.0, push.vdl.0);
            format!("Push {:?} scl {scl} log from {log_from} vdl {vdl} {batches:?}", push.group)
        }
        Message::PageImage(image) => format!("PageImage {:?} @ {:?}", image.page, image.read_point),
        Message::HydratePages(pages) => {
            let count = pages.images.len() / PAGE_SIZE;
            let end = if pages.is_final { ", the last" } else { "" };
            let (group, turn, base) = (pages.group, pages.turn, pages.base);
            format!("HydratePages {group:?} turn {turn}, {count} of {} @ {base:?}{end}", pages.pages_total)
        }
        Message::Status(_) => "Status".to_owned(),
        // There is one volume.
        other => format!("{other:?}").replace(&format!("volume: {VOLUME:?}, "), ""),
    }
}
