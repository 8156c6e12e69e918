//! Compute processes in the world: their tasks run, their volumes' effects told, what they append taken into the model.

use super::{Happening, World};
use crate::compute::{Compute, OPENER, TaskId};
use crate::history::Outcome;
use crate::plan::Profile;
use crate::workload::Script;
use crate::writer::Kept;
use hexalog_engine_volume::fetch_failure;
use hexalog_protocol::{Lsn, NodeId, Page, PageId};
use hexalog_volume::SharedClient;
use hexalog_volume::effects::ReadFailure;

/// Longest time from a wake to the task's turn: others get theirs in between.
const WAKE_US_MAX: u64 = 30;
/// Time for clients to end what they began, for losers to be undone and for purge.
const CALM_US: u64 = 3_000_000;
/// Time for the last reads and the audit.
const AUDIT_US: u64 = 2_000_000;

impl World {
    /// The volume is open: an engine comes up on it.
    pub(super) fn start_compute(&mut self, index: usize) {
        let may_lack_space = self.plan.full_every_us > 0;
        let writer = &mut self.writers[index];
        let compute = Compute::new(&writer.shared, writer.run, self.plan.compute, may_lack_space);
        writer.compute = Some(Box::new(compute));
        let vdl = writer.shared.vdl();
        writer.reads.push((PageId(0), vdl));
        writer.client().read(PageId(0), vdl);
        let run = writer.run;
        self.schedule_turn(run, 1);
    }

    pub(super) fn run_task(&mut self, run: u64, task: TaskId) {
        if self.keep_for_paused(run, Kept::Task(task)) {
            return;
        }
        let Some(index) = self.writer_index(run) else { return };
        let Some(compute) = &mut self.writers[index].compute else { return };
        let (mut timers, mut notes) = (Vec::new(), Vec::new());
        let is_quiet = self.now_us >= self.faults_stop_us;
        let now_us = self.now_us;
        let (random, workload, history) = (&mut self.random, &mut self.workload, &mut self.history);
        compute.run_task(task, now_us, is_quiet, random, workload, history, &mut timers, &mut notes);
        notes.iter().for_each(|note| self.note(note));
        for (in_us, task) in timers {
            self.at(in_us, Happening::TaskRuns { run, task });
        }
        self.after_engine(index);
        if self.writers.get(index).and_then(|writer| writer.compute.as_ref()).is_some_and(|it| it.has_ended) {
            self.kill_writers();
            let in_us = self.random.range(1_000, 300_000);
            self.at(in_us, Happening::WriterStarts);
        }
    }

    /// After any call into an engine: what it appended and asked for, whom it woke, whether the driver has a turn.
    fn after_engine(&mut self, index: usize) {
        let writer = &mut self.writers[index];
        let run = writer.run;
        let journal = writer.shared.take_journal();
        writer.reads.extend(journal.fetched);
        if let Some(compute) = &mut writer.compute {
            compute.check_engine(&journal.appended);
        }
        for records in journal.appended {
            if writer.is_overtaken {
                // It does not know yet; none of this will ever be durable.
                continue;
            }
            for record in &records {
                self.model.append(record.page, record.lsn, record.backlink, &record.operations);
            }
            self.model.add_cpl(records.last().expect("a mini-transaction has records").lsn);
        }
        if writer.shared.take_kick() {
            self.schedule_turn(run, 1);
        }
        let Some(compute) = &self.writers[index].compute else { return };
        for task in compute.take_woken() {
            let in_us = self.random.range(1, WAKE_US_MAX);
            self.at(in_us, Happening::TaskRuns { run, task });
        }
    }

    pub(super) fn page_loaded(
        &mut self,
        index: usize,
        (page, read_point): (PageId, Lsn),
        image: Result<Page, ReadFailure>,
        from: Option<NodeId>,
    ) {
        let run = self.writers[index].run;
        let Some(compute) = &mut self.writers[index].compute else { return };
        if !compute.is_probing() {
            compute.engine().page_loaded(page, read_point, image.map_err(fetch_failure), from);
            return self.after_engine(index);
        }
        match image {
            Ok(_) => compute.probed(false),
            Err(ReadFailure::NeverWritten) => compute.probed(true),
            Err(ReadFailure::Fenced) => return,
        }
        self.at(1, Happening::TaskRuns { run, task: OPENER });
    }

    pub(super) fn tell_engine_vdl(&mut self, index: usize, vdl: Lsn) {
        let Some(compute) = &self.writers[index].compute else { return };
        compute.engine().vdl_advanced(vdl);
        self.after_engine(index);
    }

    pub(super) fn log_space_freed(&mut self, index: usize) {
        let Some(compute) = &self.writers[index].compute else { return };
        compute.engine().log_space_freed();
        self.after_engine(index);
    }

    pub(super) fn quorum_contact(&mut self, index: usize) {
        let contact_us = self.writers[index].client().quorum_contact_us();
        let Some(compute) = &mut self.writers[index].compute else { return };
        compute.contacted(contact_us);
        self.after_engine(index);
    }

    /// Faults have stopped: clients end what they began, then everything is read and audited.
    pub(super) fn check_compute(&mut self) {
        if self.plan.profile != Profile::Sql {
            return;
        }
        self.run_until(self.now_us + CALM_US);
        let (now_us, script) = (self.now_us, Script::read_everything(self.workload.lists_end()));
        let compute = self.last_compute();
        assert!(compute.is_idle(), "liveness: clients are answered after quiet: {:#?}", compute.describe());
        let doubts = &self.history.doubts;
        assert!(doubts.is_empty(), "liveness: prepared transactions are ended after quiet: {doubts:?}");
        let history = &mut self.history;
        let writer = self.writers.last_mut().expect("a writer was started");
        let compute = writer.compute.as_mut().expect("its compute serves");
        let task = compute.run_script(script, now_us, history);
        let run = writer.run;
        self.at(1, Happening::TaskRuns { run, task });
        self.run_until(self.now_us + AUDIT_US);
        let last = self.history.txns.last().expect("the last reads");
        assert_eq!(last.outcome, Outcome::Ok, "liveness: what is left is read");
        self.last_compute_mut().begin_audit();
        self.at(1, Happening::TaskRuns { run, task: OPENER });
        self.run_until(self.now_us + AUDIT_US);
        let compute = self.last_compute();
        assert!(compute.is_audited(), "liveness: the audit ends: {:#?}", compute.describe());
    }

    fn last_compute(&self) -> &Compute {
        let writer = self.writers.last().expect("a writer was started");
        writer.compute.as_ref().expect("the volume is open, so compute has begun")
    }

    fn last_compute_mut(&mut self) -> &mut Compute {
        let writer = self.writers.last_mut().expect("a writer was started");
        writer.compute.as_mut().expect("the volume is open, so compute has begun")
    }
}
