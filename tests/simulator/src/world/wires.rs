//! Connections between the processes: who is reached, when a message arrives, what breaks.

use super::{Happening, World};
use crate::network::End;
use crate::plan::Profile;
use crate::writer::Kept;
use hexalog_protocol::frame::read_frame;
use hexalog_storage_core::effects::Event;
use hexalog_storage_core::shard::Shard;
use hexalog_volume::effects as volume;
use std::net::SocketAddr;

impl World {
    pub(super) fn is_cut_off(&self, end: End) -> bool {
        matches!(end, End::Shard { shard, .. } if self.cut_off[self.plan.cluster.zone_of(shard)])
    }

    /// Whether nothing passes between the two.
    fn is_apart(&self, one: End, other: End) -> bool {
        let is_hidden = |writer: End, shard: End| matches!((writer, shard), (End::Writer { run: 1.., .. }, End::Shard { shard, .. }) if self.hidden[shard]);
        let is_aloof = |one: End, other: End| matches!((one, other), (End::Shard { shard, .. }, End::Shard { .. }) if self.aloof[shard]);
        is_aloof(one, other)
            || is_aloof(other, one)
            || self.is_cut_off(one)
            || self.is_cut_off(other)
            || self.is_unseen(one, other)
            || self.is_unseen(other, one)
            || is_hidden(one, other)
            || is_hidden(other, one)
    }

    pub(super) fn send(&mut self, from: End, bytes: Vec<u8>) {
        let Some((connection, side)) = self.network.find(from) else { return };
        if matches!(from, End::Writer { .. }) {
            self.check_what_is_installed(&bytes);
            self.check_promises_stood_together(&bytes);
            self.note_vdls_sent(&bytes);
        }
        let delay = if self.plan.profile == Profile::Bulk {
            if self.random.one_in(200) { self.random.range(300, 5_000) } else { self.random.range(20, 300) }
        } else if self.random.one_in(50) {
            self.random.range(1_000, 30_000)
        } else {
            self.random.range(20, 300)
        };
        let to = 1 - side;
        let ends = self.network.connections[connection].ends;
        let held_us = self.held_until_us(ends[side], ends[to]);
        let busy = &mut self.network.connections[connection].busy_until_us[to];
        let arrives = (self.now_us + delay).max(held_us + delay).max(*busy + 1);
        *busy = arrives;
        let under_way = &mut self.network.connections[connection].under_way[to];
        under_way.sends += 1;
        under_way.bytes += bytes.len() as u64;
        self.check_what_is_under_way(connection, to);
        self.at(arrives - self.now_us, Happening::Deliver { connection, to, bytes });
    }

    /// Until when nothing goes this way.
    fn held_until_us(&self, from: End, to: End) -> u64 {
        let mute_us = match from {
            End::Shard { shard, .. } => self.conditions[shard].mute_until_us,
            End::Writer { .. } => 0,
        };
        let deaf_us = match to {
            End::Shard { shard, .. } => self.conditions[shard].deaf_until_us,
            End::Writer { .. } => 0,
        };
        let held_us = mute_us.max(deaf_us);
        if held_us > self.now_us { held_us } else { 0 }
    }

    pub(super) fn connect_arrives(&mut self, from: End, target: SocketAddr) {
        let is_there = |shard: &usize| self.plan.cluster.address(*shard) == target;
        let shard = (0..self.shards()).find(is_there).expect("addresses are shards'");
        let is_up = self.processes[shard].shard.as_ref().is_some_and(Shard::is_ready);
        let run = self.processes[shard].run;
        let id = self.draw_connection(shard);
        if !is_up || self.is_apart(from, End::Shard { shard, run, id }) {
            return self.tell_closed(from);
        }
        self.network.connect(from, End::Shard { shard, run, id });
        self.tell_shard(shard, Event::Accepted(id));
        match from {
            End::Shard { shard, run, id } if self.is_running(shard, run) => {
                self.tell_shard(shard, Event::Connected(id));
            }
            End::Shard { .. } => {}
            End::Writer { run, link } => {
                self.counted.connected(run, shard);
                self.tell_writer(run, volume::Event::Connected(link));
            }
        }
    }

    pub(super) fn break_connection(&mut self, connection: usize) {
        let Some(ends) = self.network.close(connection) else { return };
        ends.into_iter().for_each(|end| self.tell_closed(end));
    }

    pub(super) fn tell_closed(&mut self, end: End) {
        match end {
            End::Shard { shard, run, id } => {
                if self.is_running(shard, run) {
                    self.tell_shard(shard, Event::Closed(id));
                }
            }
            End::Writer { run, link } => self.tell_writer(run, volume::Event::Closed(link)),
        }
    }

    pub(super) fn deliver(&mut self, connection: usize, to: usize, bytes: &[u8]) {
        let under_way = &mut self.network.connections[connection].under_way[to];
        under_way.sends = under_way.sends.saturating_sub(1);
        under_way.bytes = under_way.bytes.saturating_sub(bytes.len() as u64);
        if !self.network.connections[connection].is_open {
            return;
        }
        let end = self.network.connections[connection].ends[to];
        let other = self.network.connections[connection].ends[1 - to];
        if self.is_apart(end, other) {
            // Lost on the way: TCP gives the connection up.
            return self.break_connection(connection);
        }
        if let End::Writer { run, link } = end
            && self.keep_for_paused(run, Kept::Bytes(link, other, bytes.to_vec()))
        {
            return;
        }
        self.deliver_to(end, other, bytes);
        let is_open = self.network.connections[connection].is_open;
        if is_open && (self.is_doubled(end) || self.is_doubled(other)) {
            self.deliver_to(end, other, bytes);
        }
    }

    /// No network of today does this to a connection; a message that comes twice must do no more than one all the same.
    fn is_doubled(&self, end: End) -> bool {
        matches!(end, End::Shard { shard, .. } if self.conditions[shard].doubled_until_us > self.now_us)
    }

    /// Hands a process the frames of a message.
    pub(super) fn deliver_to(&mut self, end: End, other: End, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some(frame) = read_frame(rest).expect("processes send valid frames") {
            rest = &rest[frame.frame_bytes..];
            if self.is_install_lost(end, frame.kind) {
                return;
            }
            self.outcome.delivered += 1;
            self.count_openers_frame(end, other);
            self.trace.delivered(self.now_us, other, end, &frame);
            match end {
                End::Shard { shard, run, id } if self.is_running(shard, run) => {
                    self.note_what_is_brought(shard, &frame);
                    self.note_what_is_asked(shard, id, &frame);
                    let mut heard = None;
                    match other {
                        End::Shard { shard: peer, .. } => self.note_peers_word(shard, peer, &frame),
                        End::Writer { .. } => heard = self.heard_before_push(shard, &frame),
                    }
                    self.tell_shard(shard, Event::Frame(id, frame));
                    if let Some(heard) = heard {
                        self.check_heard_after_push(shard, heard);
                    }
                }
                End::Shard { .. } => {}
                End::Writer { run, link } => {
                    let End::Shard { shard, .. } = other else { unreachable!("writers talk to shards") };
                    let look = self.note_word(run, shard, &frame);
                    self.tell_writer(run, volume::Event::Frame(link, frame));
                    if let Some(look) = look {
                        self.check_what_counts(run, &look);
                    }
                }
            }
        }
        assert!(rest.is_empty(), "processes send whole frames");
    }
}
