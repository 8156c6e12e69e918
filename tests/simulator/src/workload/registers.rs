//! Registers: rows that are written over, so that of what once stood there only what was read tells.
//!
//! Each write keeps what it replaced beside what it wrote. So the order of versions is told by the rows themselves, as lists tell it,
//! though a version is gone with the next. Some writes take what they replace from a read before: a lost update shows as two
//! versions that replaced the same one.

use super::Workload;
use super::script::{Script, Statement, What};
use crate::history::{RegisterKey, RegisterValue, SHELVES};
use crate::random::Random;

/// Registers in use at one time: few, so that transactions meet.
const ACTIVE: usize = 6;
/// Writes to one before another takes its place: rows come all the time where others have looked for them.
const WRITES_PER_REGISTER: u32 = 30;

/// Which registers there are.
pub(super) struct Registers {
    /// Those in use, with how often each was written to.
    active: Vec<(RegisterKey, u32)>,
    next: RegisterKey,
}

impl Registers {
    /// At the start of a run.
    pub fn new() -> Registers {
        let active = (0..ACTIVE).map(|key| (key as RegisterKey, 0)).collect();
        Registers { active, next: ACTIVE as RegisterKey }
    }

    fn draw(&self, random: &mut Random) -> RegisterKey {
        self.active[random.range(0, ACTIVE as u64) as usize].0
    }

    fn draw_for_write(&mut self, random: &mut Random) -> RegisterKey {
        let slot = &mut self.active[random.range(0, ACTIVE as u64) as usize];
        slot.1 += 1;
        let key = slot.0;
        if slot.1 >= WRITES_PER_REGISTER {
            *slot = (self.next, 0);
            self.next += 1;
        }
        key
    }
}

impl Workload {
    /// Reads and writes of a few; half of those that write have read first, which is what write skew needs.
    pub(super) fn draw_registers(&mut self, random: &mut Random) -> Script {
        let mut script = Script::new(self.levels.draw(random));
        let can_compute = script.level.has_one_snapshot();
        let mut has_written = false;
        let mut slots = 0;
        for _ in 0..random.range(1, 6) {
            match random.range(0, 10) {
                0..=3 => {
                    let (key, value) = (self.registers.draw_for_write(random), self.draw_element());
                    has_written = true;
                    match random.range(0, 3) {
                        0 => script.push(Statement::write_register(key, value)),
                        1 if can_compute => {
                            script.push_all(Statement::write_register_by_reading(key, value, slots));
                            slots += 1;
                        }
                        _ => script.push(Statement::write_to_register(key, value)),
                    }
                }
                4..=6 => {
                    let key = self.registers.draw(random);
                    script.push(Statement::read_registers(key, key + 1));
                }
                7 => {
                    let from = self.registers.next.saturating_sub(random.range(1, 12) as RegisterKey);
                    script.push(Statement::read_registers(from, from + random.range(2, 16) as RegisterKey));
                }
                _ => script.push(Statement::read_shelf(random.range(0, u64::from(SHELVES)) as RegisterKey)),
            }
        }
        // What was read may have been written behind a savepoint that is gone back to before the write.
        let script = if slots > 0 { script } else { script.with_savepoints(random) };
        // Of a write that commits itself and is not answered nobody would know what it replaced.
        if has_written { script.finish_block(random) } else { script.finish(random) }
    }
}

impl Statement {
    fn write_register(key: RegisterKey, value: RegisterValue) -> Statement {
        let text = "INSERT INTO registers VALUES ($1, $2, $3, 0) \
            ON CONFLICT (k) DO UPDATE SET v = excluded.v, replaced = registers.v RETURNING replaced";
        Statement::with(text, &[&key, &(key % SHELVES), &value], What::WriteRegister(key, value))
    }

    /// As [`Statement::write_register`], to one whose row must be there.
    fn write_to_register(key: RegisterKey, value: RegisterValue) -> Statement {
        let text = "UPDATE registers SET v = $2, replaced = v WHERE k = $1 RETURNING replaced";
        Statement::with(text, &[&key, &value], What::WriteRegister(key, value))
    }

    /// Right with one snapshot only.
    fn write_register_by_reading(key: RegisterKey, value: RegisterValue, slot: usize) -> [Statement; 2] {
        let read = Statement::with("SELECT v FROM registers WHERE k = $1", &[&key], What::Remember(slot));
        let text = format!(
            "UPDATE registers SET v = {value}, replaced = {{{slot}}} WHERE k = {key} RETURNING replaced"
        );
        [read, Statement::new(text, What::WriteRegister(key, value))]
    }

    pub(super) fn read_registers(from: RegisterKey, to: RegisterKey) -> Statement {
        let text = "SELECT k, v, replaced FROM registers WHERE k >= $1 AND k < $2";
        Statement::with(text, &[&from, &to], What::ReadRegisters(from, to, None))
    }

    fn read_shelf(shelf: RegisterKey) -> Statement {
        let what = What::ReadRegisters(0, RegisterKey::MAX, Some(shelf));
        Statement::with("SELECT k, v, replaced FROM registers WHERE shelf = $1", &[&shelf], what)
    }
}
