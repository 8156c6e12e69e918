//! The writers: one or, after a pause or a failover, several that believe they write.

use super::{Happening, VOLUME, WALL_START_US, World};
use crate::network::End;
use crate::plan::Profile;
use crate::writer::{Kept, Writer};
use hexalog_protocol::geometry::Geometry;
use hexalog_protocol::ids::WriterId;
use hexalog_protocol::quorum::QuorumModel;
use hexalog_protocol::{GeometryEpoch, Incarnation, Lsn, VolumeEpoch};
use hexalog_volume::Client;
use hexalog_volume::SharedClient;
use hexalog_volume::config::{Lal, VolumeConfig};
use hexalog_volume::effects as volume;

impl World {
    pub(super) fn start_writer(&mut self) {
        // Metadata that was brought back from a copy gives an epoch out twice.
        let is_given_twice = self.plan.fault_every_us > 0 && self.epoch > 0 && self.random.one_in(8);
        self.epoch += u64::from(!is_given_twice);
        self.writer_runs += 1;
        let run = self.writer_runs;
        let config = VolumeConfig {
            volume: VOLUME,
            geometry: Geometry { pages_per_group: self.plan.pages_per_group, groups: self.plan.groups },
            geometry_epoch: GeometryEpoch(1),
            quorum: QuorumModel::FOUR_OF_SIX,
            groups: self.metadata.claim(run),
            lal: Lal { records: self.plan.lal_records, bytes: self.plan.lal_bytes },
        };
        let writer =
            WriterId { epoch: VolumeEpoch(self.epoch), incarnation: Incarnation(self.random.bits()) };
        self.note(&format!("writer {run} opens with epoch {}", self.epoch));
        self.draw_unseen(run);
        let client = Client::open(config, writer);
        self.writers.push(Writer::new(run, client));
        self.schedule_turn(run, 0);
    }

    /// A turn of the driver comes in that time, unless one comes before.
    pub(super) fn schedule_turn(&mut self, run: u64, in_us: u64) {
        let due = self.now_us + in_us;
        let Some(writer) = self.writers.iter_mut().find(|writer| writer.run == run) else { return };
        if due < writer.turn_at_us {
            writer.turn_at_us = due;
            self.at(in_us, Happening::WriterTurn { run });
        }
    }

    pub(super) fn writer_index(&self, run: u64) -> Option<usize> {
        self.writers.iter().position(|writer| writer.run == run && !writer.is_paused)
    }

    pub(super) fn volume_now(&self) -> volume::Now {
        let wall_us = (WALL_START_US + self.now_us).saturating_add_signed(self.compute_wall_offset_us);
        volume::Now { monotonic_us: self.now_us, wall_us }
    }

    pub(super) fn tell_writer(&mut self, run: u64, event: volume::Event<'_>) {
        let kept = match &event {
            volume::Event::Connected(link) => Some(Kept::Connected(*link)),
            volume::Event::Closed(link) => Some(Kept::Closed(*link)),
            volume::Event::Frame(..) | volume::Event::Tick => None,
        };
        if kept.is_some_and(|kept| self.keep_for_paused(run, kept)) {
            return;
        }
        let Some(index) = self.writer_index(run) else { return };
        let now = self.volume_now();
        let mut effects = volume::Effects::default();
        self.writers[index].client().handle(now, event, &mut effects);
        self.carry_out_writer(run, effects);
        // The flush comes in a turn of its own, after whatever else arrives at this moment.
        self.schedule_turn(run, 1);
    }

    /// What comes for a paused process waits in its sockets. True if it is paused.
    pub(super) fn keep_for_paused(&mut self, run: u64, kept: Kept) -> bool {
        let Some(writer) = self.writers.iter_mut().find(|writer| writer.run == run && writer.is_paused)
        else {
            return false;
        };
        writer.kept.push_back(kept);
        true
    }

    /// A paused process goes on where it was, and finds what came meanwhile.
    pub(super) fn resume_writer(&mut self, run: u64) {
        let Some(writer) = self.writers.iter_mut().find(|writer| writer.run == run) else { return };
        writer.is_paused = false;
        // The turn that was due has passed.
        writer.turn_at_us = u64::MAX;
        let kept = std::mem::take(&mut writer.kept);
        self.note(&format!("writer {run} goes on"));
        for kept in kept {
            match kept {
                Kept::Connected(link) => self.tell_writer(run, volume::Event::Connected(link)),
                Kept::Closed(link) => self.tell_writer(run, volume::Event::Closed(link)),
                Kept::Bytes(link, from, bytes) => {
                    self.deliver_to(End::Writer { run, link }, from, &bytes);
                }
                Kept::Task(task) => self.at(1, Happening::TaskRuns { run, task }),
            }
        }
        self.schedule_turn(run, 1);
        if self.plan.profile != Profile::Sql {
            self.at(1, Happening::WriterWorks { run });
        }
    }

    pub(super) fn writer_turn(&mut self, run: u64) {
        let Some(index) = self.writer_index(run) else { return };
        if self.writers[index].turn_at_us != self.now_us {
            return;
        }
        self.writers[index].turn_at_us = u64::MAX;
        let now = self.volume_now();
        let mut effects = volume::Effects::default();
        self.writers[index].client().flush(now, &mut effects);
        self.check_bounds_of_writer(index);
        let deadline = self.writers[index].client().next_deadline_us(now);
        self.carry_out_writer(run, effects);
        if let Some(at) = deadline {
            let in_us = at.saturating_sub(self.now_us).max(1_000);
            self.schedule_turn(run, in_us);
        }
    }

    pub(super) fn carry_out_writer(&mut self, run: u64, effects: volume::Effects) {
        for (link, bytes) in effects.sends {
            self.send(End::Writer { run, link }, bytes);
        }
        for effect in effects.list {
            let Some(index) = self.writer_index(run) else { return };
            match effect {
                volume::Effect::Connect(link, address) => {
                    let in_us = self.random.range(50, 500);
                    self.at(in_us, Happening::ConnectArrives { from: End::Writer { run, link }, address });
                }
                volume::Effect::Disconnect(link) => {
                    if let Some((connection, _)) = self.network.find(End::Writer { run, link }) {
                        let ends = self.network.close(connection).expect("it was found open");
                        let others = ends.into_iter().filter(|end| *end != End::Writer { run, link });
                        others.for_each(|end| self.tell_closed(end));
                    }
                }
                volume::Effect::Page { page, read_point, image, from } => {
                    self.outcome.reads_checked += 1;
                    self.writers[index].read_answered(&self.model, page, read_point, &image);
                    self.page_loaded(index, (page, read_point), image, from);
                }
                volume::Effect::Opened => self.writer_opened(index),
                volume::Effect::VdlAdvanced(vdl) => self.vdl_advanced(index, vdl),
                volume::Effect::Fenced(by) => {
                    self.note(&format!("writer {run} is fenced by {by:?}"));
                    self.remove_writer(index);
                    if self.writers.is_empty() {
                        self.at(1_000, Happening::WriterStarts);
                    }
                }
                volume::Effect::LogSpaceFreed => self.log_space_freed(index),
                volume::Effect::QuorumContact => self.quorum_contact(index),
                volume::Effect::RoomChanged(room) => self.writers[index].shared.told().set_room(room),
                volume::Effect::Log(text) => self.note(&format!("writer {run}: {text}")),
            }
        }
    }

    pub(super) fn writer_opened(&mut self, index: usize) {
        let run = self.writers[index].run;
        let history = self.writers[index].client().history().clone();
        let entry = *history.last().expect("an opened volume has a history");
        self.note(&format!("writer {run} is open: VDL {:?}, upper {:?}", entry.vdl, entry.upper));
        self.outcome.openings += 1;
        self.fences.vdl_of_writer(history.upper());
        let newer = self.newest_opened.as_ref().filter(|newer| newer.writer().epoch > entry.writer.epoch);
        let is_overtaken = newer.is_some();
        if let Some(newer) = newer {
            // Its last answers came late, from members that the newer one, which may be gone by now, could do without. Commits of
            // the newer one are none that it had to find, and no write quorum is left for it; what it found the newer one must
            // have found too.
            assert!(
                !newer.is_annulled(history.floor(entry.vdl)),
                "an overtaken writer recovered {:?}, which the newer one has annulled",
                entry.vdl
            );
        } else {
            self.model.recovered(history.floor(entry.vdl));
        }
        self.model.acknowledged = self.model.acknowledged.max(history.floor(entry.vdl));
        self.check_opening_is_true(history.floor(entry.vdl), entry.writer);
        self.writers[index].is_open = true;
        self.writers[index].is_overtaken = is_overtaken;
        if !is_overtaken {
            self.newest_opened = Some(history);
        }
        self.writers[..index].iter_mut().for_each(|older| older.is_overtaken = true);
        match self.plan.profile {
            Profile::Volume | Profile::Bulk => self.at(0, Happening::WriterWorks { run }),
            Profile::Sql => self.start_compute(index),
        }
    }

    pub(super) fn vdl_advanced(&mut self, index: usize, vdl: Lsn) {
        let history = self.writers[index].client().history().clone();
        if self.writers[index].is_open {
            // An old writer may hear of an acknowledgement late, but what it calls durable then must have been found by
            // whoever opened since.
            let newest = self.newest_opened.as_ref().expect("this one has opened");
            assert!(
                newest.writer().epoch <= history.writer().epoch || !newest.is_annulled(history.floor(vdl)),
                "an old writer made {vdl:?} durable, which a new one has annulled"
            );
            self.model.acknowledged = self.model.acknowledged.max(history.floor(vdl));
            self.check_vdl_is_true(history.floor(vdl));
            self.fences.vdl_of_writer(vdl);
            self.check_acknowledged_is_counted();
        }
        let run = self.writers[index].run;
        self.note(&format!("writer {run}: VDL {vdl:?}"));
        self.writers[index].shared.told().set_vdl(vdl);
        self.tell_engine_vdl(index, vdl);
    }

    /// A process is gone.
    pub(super) fn remove_writer(&mut self, index: usize) {
        let mut writer = self.writers.remove(index);
        if let Some(compute) = &mut writer.compute {
            compute.die(self.now_us, &mut self.history);
        }
    }

    pub(super) fn writer_works(&mut self, run: u64) {
        if self.plan.profile == Profile::Bulk {
            return self.load_rows(run);
        }
        let Some(index) = self.writer_index(run) else { return };
        if self.now_us >= self.faults_stop_us {
            let mut client = self.writers[index].client();
            let allocated = client.allocated();
            client.want(allocated);
            drop(client);
            return self.schedule_turn(run, 1);
        }
        let is_latest = index + 1 == self.writers.len();
        let pages = self.plan.pages_per_group * u64::from(self.plan.active_groups);
        // Only the latest writer's changes go into the model; an older one that was paused finds out when it sends, be it the
        // last that is left.
        let writer = &self.writers[index];
        if is_latest && writer.is_open && !writer.is_overtaken {
            for _ in 0..self.random.range(1, 4) {
                self.writers[index].append(&mut self.model, pages, &mut self.random);
            }
            if self.random.one_in(4) {
                self.writers[index].read(pages, &mut self.random);
            }
        }
        self.schedule_turn(run, 1);
        let in_us = self.random.range(100, 3_000);
        self.at(in_us, Happening::WriterWorks { run });
    }
}
