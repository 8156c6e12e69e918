//! The shards: started, fed with completions and background slices, stopped at any moment.

use super::ask::tool_hello;
use super::file_systems::SEGMENTS_MADE_US;
use super::{Happening, VOLUME, WALL_START_US, WORLD_START_US, World};
use crate::network::End;
use crate::plan::{DeviceOperation, EXTENT_BYTES, Profile};
use crate::random::Random;
use hexalog_protocol::message::{CreateSegment, Message};
use hexalog_protocol::{DeviceId, GeometryEpoch, GroupId, Lsn, NodeId};
use hexalog_storage_core::effects::{Area, Effect, Effects, Event, Now as ShardNow};
use hexalog_storage_core::options::{ShardOptions, extents_backed_bytes_min};
use hexalog_storage_core::shard::Shard;
use hexalog_volume::config::LinkIndex;

fn counter(shard: &Shard, name: &str) -> u64 {
    shard.counters().iter().find(|(other, _)| *other == name).map_or(0, |(_, value)| *value)
}

impl World {
    pub(super) fn is_running(&self, shard: usize, run: u64) -> bool {
        self.processes[shard].run == run && self.processes[shard].shard.is_some()
    }

    pub(super) fn shard_now(&self, shard: usize) -> ShardNow {
        let wall_us =
            (WALL_START_US + self.now_us).saturating_add_signed(self.conditions[shard].wall_offset_us);
        ShardNow { monotonic_us: self.now_us, wall_us }
    }

    pub(super) fn start_shard(&mut self, shard: usize) {
        if self.processes[shard].shard.is_some() {
            return;
        }
        self.note(&format!("shard {shard} starts"));
        let incarnation = self.random.bits() | 1;
        let now = self.shard_now(shard);
        let extents_bytes = self.plan.extents_bytes;
        let mut options = self.shard_options(shard, incarnation);
        let process = &mut self.processes[shard];
        if !process.is_formatted {
            process.is_formatted = true;
            process.backed_bytes = match self.plan.full_every_us {
                0 => extents_bytes,
                _ => extents_backed_bytes_min(extents_bytes, EXTENT_BYTES),
            };
            let bytes = Shard::format(DeviceId(shard as u64 + 1), &options);
            process.disk.write(Area::Superblock, 0, bytes.bytes());
            process.disk.flush(Area::Superblock);
            options.extents_backed_bytes = process.backed_bytes;
        }
        process.run += 1;
        process.next_connection = 1;
        process.tick_at_us = u64::MAX;
        let mut effects = Effects::default();
        process.shard = Some(Shard::start(options, now, &mut effects));
        self.fences.started(shard);
        if std::mem::take(&mut self.altered[shard]) {
            self.fences.may_have_forgotten(shard, &self.moments);
        }
        self.promises.started(shard);
        self.carry_out_shard(shard, effects);
        if self.processes[shard].run == 1 {
            self.at(1_000, Happening::SegmentsAreMade { shard });
        }
    }

    pub(super) fn shard_options(&self, shard: usize, incarnation: u64) -> ShardOptions {
        let log_bytes = self.plan.log_bytes;
        let extents_bytes = self.plan.extents_bytes;
        let cluster = self.plan.cluster;
        let node = NodeId(cluster.daemon_of(shard) as u32);
        let mut options =
            ShardOptions::new(node, cluster.index_of(shard), log_bytes, extents_bytes, incarnation);
        options.shard_ports = cluster.ports();
        options.extent_bytes = EXTENT_BYTES;
        options.pending_bytes_max = self.plan.pending_bytes;
        options.append_bytes_max = (log_bytes / 8) as usize;
        options.checkpoint_log_bytes = log_bytes / 8;
        options.checkpoint_interval_us = self.plan.checkpoint_interval_us;
        options.checkpoint_deltas_max = 4;
        // A few pages each: what changes between two parts of one checkpoint must not be lost.
        options.checkpoint_part_bytes = 1 << 10;
        options.gossip_interval_us = 20_000;
        if self.plan.rot_every_us > 0 {
            // A round takes somewhat longer than this: what each read waits for comes on top.
            options.scrub_period_us = 500_000;
        }
        options.gossip_bytes_max = 16 << 10;
        // A group takes several turns, and pages change between them.
        options.hydration_pages_max = 5;
        if self.plan.profile == Profile::Bulk {
            let bulk = self.plan.bulk;
            options.append_bytes_max = bulk.append_bytes_max;
            options.gossip_bytes_max = bulk.gossip_bytes_max;
            options.gossip_interval_us = bulk.gossip_interval_us;
            options.checkpoint_deltas_max = 16;
            options.checkpoint_part_bytes = 32 << 10;
        }
        let process = &self.processes[shard];
        if process.is_formatted {
            options.extents_backed_bytes = process.backed_bytes;
        }
        options
    }

    /// Makes the volume's segments, as the control plane does at creation, over a connection of its own that
    /// nobody answers to.
    pub(super) fn create_segments(&mut self, shard: usize) {
        if !self.processes[shard].shard.as_ref().is_some_and(Shard::is_ready) {
            return self.at(1_000, Happening::SegmentsAreMade { shard });
        }
        let mut bytes = tool_hello();
        let cluster = self.plan.cluster;
        for group in (0..self.plan.groups).map(GroupId) {
            let Some(slot) = cluster.slot_of(group, shard) else { continue };
            let create = CreateSegment {
                volume: VOLUME,
                group,
                segment: cluster.segment(group, slot),
                pages_per_group: self.plan.pages_per_group,
                geometry_epoch: GeometryEpoch(1),
                base_lsn: Lsn::ZERO,
                membership: cluster.membership(group),
            };
            Message::CreateSegment(create).encode(2 + u64::from(group.0), &mut bytes);
        }
        let run = self.processes[shard].run;
        let id = self.draw_connection(shard);
        let tool = End::Writer { run: 0, link: LinkIndex(shard) };
        let connection = self.network.connect(tool, End::Shard { shard, run, id });
        self.tell_shard(shard, Event::Accepted(id));
        self.at(50, Happening::Deliver { connection, to: 1, bytes });
    }

    pub(super) fn tell_shard(&mut self, shard: usize, event: Event<'_>) {
        let now = self.shard_now(shard);
        let mut effects = Effects::default();
        let Some(machine) = &mut self.processes[shard].shard else { return };
        machine.handle(now, event, &mut effects);
        self.processes[shard].slices_restless = 0;
        self.check_bounds_of_shard(shard);
        self.carry_out_shard(shard, effects);
        // As the driver does: a slice soon after any event, unless completions keep coming.
        let in_us = if self.random.one_in(20) { 5_000 } else { self.random.range(1, 1_000) };
        self.schedule_tick(shard, in_us);
    }

    pub(super) fn shard_tick(&mut self, shard: usize, run: u64) {
        if !self.is_running(shard, run) || self.processes[shard].tick_at_us > self.now_us {
            return;
        }
        self.processes[shard].tick_at_us = u64::MAX;
        let now = self.shard_now(shard);
        let mut effects = Effects::default();
        self.check_after_start(shard);
        self.back_extents(shard);
        let machine = self.processes[shard].shard.as_mut().expect("it runs");
        machine.handle(now, Event::Tick, &mut effects);
        let has_more = machine.is_ready() && machine.background(now, &mut effects);
        self.check_bounds_of_shard(shard);
        self.check_shard_rests(shard, has_more);
        self.carry_out_shard(shard, effects);
        self.schedule_tick(shard, if has_more { 100 } else { 5_000 });
    }

    pub(super) fn schedule_tick(&mut self, shard: usize, in_us: u64) {
        let due = self.now_us + in_us;
        let process = &mut self.processes[shard];
        let wanted = process.shard.as_ref().and_then(Shard::next_deadline_us).unwrap_or(u64::MAX);
        let due = due.min(wanted.max(self.now_us + 1));
        if due < process.tick_at_us {
            process.tick_at_us = due;
            let run = process.run;
            self.at(due - self.now_us, Happening::ShardTick { shard, run });
        }
    }

    pub(super) fn carry_out_shard(&mut self, shard: usize, effects: Effects) {
        let run = self.processes[shard].run;
        if self.may_rot(shard) {
            self.check_damaged_tell_nothing(shard, &effects.sends);
        }
        for (id, bytes) in effects.sends {
            self.check_what_is_told(shard, &bytes);
            self.check_what_is_promised(shard, id, &bytes);
            self.send(End::Shard { shard, run, id }, bytes);
        }
        for effect in effects.list {
            match effect {
                Effect::Connect(id, address) => {
                    let in_us = self.random.range(50, 500);
                    self.at(
                        in_us,
                        Happening::ConnectArrives { from: End::Shard { shard, run, id }, address },
                    );
                }
                Effect::Close(id) => {
                    if let Some((connection, _)) = self.network.find(End::Shard { shard, run, id }) {
                        self.at(0, Happening::Break { connection });
                    }
                }
                Effect::Write { token, area, offset, buffer, flush } => {
                    let in_us =
                        self.random.range(50, if flush { 600 } else { 200 }) + self.disk_delay_us(shard);
                    let in_us = in_us + self.transfer_us(shard, buffer.bytes().len());
                    let operation = match area {
                        Area::Superblock => DeviceOperation::SuperblockWrite,
                        Area::Log => DeviceOperation::LogWrite,
                        Area::Extents => DeviceOperation::ExtentWrite,
                    };
                    let in_us = in_us + self.stall_us(operation);
                    self.at(in_us, Happening::WriteEnds { shard, run, token, area, offset, buffer, flush });
                }
                Effect::Flush { token, area } => {
                    let in_us = self.random.range(50, 500) + self.disk_delay_us(shard);
                    let in_us = in_us + self.stall_us(DeviceOperation::Flush);
                    self.at(in_us, Happening::FlushEnds { shard, run, token, area });
                }
                Effect::Read { token, area, offset, buffer } => {
                    let in_us = self.random.range(20, 200) + self.disk_delay_us(shard);
                    let in_us = in_us + self.transfer_us(shard, buffer.bytes().len());
                    let in_us = in_us + self.stall_us(DeviceOperation::Read);
                    self.at(in_us, Happening::ReadEnds { shard, run, token, area, offset, buffer });
                }
                Effect::Halt { reason, reads_go_on } => self.shard_halts(shard, &reason, reads_go_on),
                Effect::Log(text) => {
                    self.note(&format!("shard {shard}: {text}"));
                    // What is worth a line to an operator is worth a look at the device.
                    self.check_word(shard);
                }
            }
        }
        self.schedule_tick(shard, 5_000);
    }

    /// What a slow device takes longer; a stuck one answers when its time is over.
    fn disk_delay_us(&mut self, shard: usize) -> u64 {
        let conditions = self.conditions[shard];
        let left_us = conditions.disk_slow_until_us.saturating_sub(self.now_us);
        if left_us == 0 { 0 } else { (self.random.range(20, 300) * conditions.disk_factor).min(left_us) }
    }

    /// What an operation takes longer that its device holds up.
    fn stall_us(&mut self, operation: DeviceOperation) -> u64 {
        let stalls = self.plan.stalls;
        let is_held_up = stalls.befall(operation)
            && self.now_us < self.faults_stop_us
            && self.now_us > WORLD_START_US + SEGMENTS_MADE_US
            && self.random.one_in(stalls.one_in);
        if is_held_up { self.random.range(1, stalls.us_max) } else { 0 }
    }

    /// Stops the daemon of a shard at once, with all shards that it has.
    pub(super) fn stop_daemon(&mut self, shard: usize, is_power_cut: bool, chance: &mut Random) {
        let cluster = self.plan.cluster;
        for shard in cluster.shards_of(cluster.daemon_of(shard)) {
            self.stop_shard(shard, is_power_cut, chance);
        }
    }

    /// Stops a shard at once; with `is_power_cut` its device loses what was not flushed.
    pub(super) fn stop_shard(&mut self, shard: usize, is_power_cut: bool, chance: &mut Random) {
        self.note_before_stop(shard);
        let Some(stopped) = self.processes[shard].shard.take() else { return };
        self.check_nothing_is_damaged(shard, &stopped);
        self.outcome.hydrated += counter(&stopped, "segments_hydrated");
        self.outcome.segments_repaired += counter(&stopped, "segments_repaired");
        self.outcome.pages_repaired += counter(&stopped, "pages_repaired");
        self.hydrations_for_pages += counter(&stopped, "hydrations_for_pages");
        self.indexes_lost += counter(&stopped, "indexes_lost");
        self.bytes_before_restarts += counter(&stopped, "append_bytes");
        self.outcome.extents_collected += counter(&stopped, "extents_collected");
        self.note(&format!("shard {shard} {}", if is_power_cut { "loses power" } else { "is killed" }));
        self.moments.ended(shard);
        let run = self.processes[shard].run;
        self.processes[shard].run += 1;
        self.conditions[shard].paused_until_us = 0;
        let in_flight: Vec<u64> = self
            .happenings
            .iter()
            .filter(|(_, happening)| {
                matches!(happening, Happening::WriteEnds { shard: s, run: r, .. } if (*s, *r) == (shard, run))
            })
            .map(|(sequence, _)| *sequence)
            .collect();
        for sequence in in_flight {
            let Some(Happening::WriteEnds { area, offset, buffer, .. }) = self.happenings.get(&sequence)
            else {
                continue;
            };
            self.processes[shard].disk.tear(*area, *offset, buffer.bytes(), &mut self.random);
        }
        if is_power_cut {
            self.processes[shard].disk.power_cut(&mut self.random);
        }
        let is_of = |end: &End| matches!(end, End::Shard { shard: s, .. } if *s == shard);
        let mut broken = self.network.open();
        broken.retain(|connection| self.network.connections[*connection].ends.iter().any(is_of));
        for connection in broken {
            let is_of_writer = |end: &End| matches!(end, End::Writer { .. });
            let is_unheard = self.network.connections[connection].ends.iter().any(is_of_writer);
            let unheard_us = self.unheard_until_us.saturating_sub(self.now_us);
            let soon_us = self.random.range(10, 1_000);
            let in_us = if is_unheard { soon_us.max(unheard_us) } else { soon_us };
            self.at(in_us, Happening::Break { connection });
        }
        let in_us = chance.range(1_000, 300_000);
        self.at(in_us, Happening::ShardStarts { shard });
    }
}
