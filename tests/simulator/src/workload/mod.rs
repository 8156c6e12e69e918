//! What the clients do: transactions as scripts of statements, drawn by the seed.
//!
//! Owns the tables, which transactions there are, and what an answer means for the history. Knows nothing of processes
//! or faults: `compute` runs the statements.

mod documents;
mod families;
mod registers;
mod script;
mod tables;

use documents::DOCUMENT_IDS;
pub use documents::{text_of, version_of};
use registers::Registers;
pub use script::{End, Script, Statement, What};
pub use tables::{IS_SET_UP, SET_UP};

use crate::history::{DocumentVersion, Element, Level, ListKey};
use crate::random::Random;

/// Accounts at the start.
pub const ACCOUNTS: i64 = 12;
/// Money in each at the start.
pub const BALANCE: i64 = 100;
/// Ids that accounts move among.
const ACCOUNT_IDS: u64 = 20;
/// Lists that are appended to at one time: few, so that transactions meet.
const LISTS_ACTIVE: usize = 5;
/// Appends to one list before another takes its place: rows stay small and lists can be read whole.
const APPENDS_PER_LIST: u32 = 40;
/// Ids in the table with the unique index.
const TAGGED_IDS: u64 = 24;
/// Tags for them: fewer, so that they collide.
const TAGS: u64 = 16;

/// How often each kind of transaction is drawn; a seed turns some off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mix {
    /// Appends to lists and reads of them.
    pub lists: u64,
    /// Transfers between accounts.
    pub bank: u64,
    /// The unique index.
    pub tags: u64,
    /// Numbers from the sequence.
    pub sequence: u64,
    /// Tables made, filled, emptied and dropped.
    pub scratch: u64,
    /// Long values.
    pub documents: u64,
    /// Rows that refer to others.
    pub families: u64,
    /// Writes over registers and reads of them.
    pub registers: u64,
}

impl Mix {
    /// Everything on.
    pub const ALL: Mix =
        Mix { lists: 6, bank: 4, tags: 4, sequence: 2, scratch: 1, documents: 1, families: 2, registers: 4 };

    /// Nothing: to be drawn from only with some of it on.
    pub const NONE: Mix =
        Mix { lists: 0, bank: 0, tags: 0, sequence: 0, scratch: 0, documents: 0, families: 0, registers: 0 };

    /// Draws which kinds there are; at least one.
    pub fn draw(random: &mut Random) -> Mix {
        if random.one_in(3) {
            return Mix::ALL;
        }
        let mut kind = |weight| if random.one_in(2) { weight } else { 0 };
        let mix = Mix {
            lists: kind(6),
            bank: kind(4),
            tags: kind(4),
            sequence: kind(2),
            scratch: kind(1),
            documents: kind(1),
            families: kind(2),
            registers: kind(4),
        };
        if mix.total() == 0 { Mix::ALL } else { mix }
    }

    fn total(&self) -> u64 {
        let Mix { lists, bank, tags, sequence, scratch, documents, families, registers } = *self;
        lists + bank + tags + sequence + scratch + documents + families + registers
    }
}

/// How often each level is drawn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Levels {
    /// READ COMMITTED.
    pub read_committed: u64,
    /// REPEATABLE READ.
    pub repeatable_read: u64,
    /// SERIALIZABLE.
    pub serializable: u64,
}

impl Levels {
    /// All of them.
    pub const ALL: Levels = Levels { read_committed: 2, repeatable_read: 1, serializable: 1 };

    fn draw(&self, random: &mut Random) -> Level {
        let Levels { read_committed, repeatable_read, serializable } = *self;
        match random.range(0, read_committed + repeatable_read + serializable) {
            at if at < repeatable_read => Level::RepeatableRead,
            at if at < repeatable_read + serializable => Level::Serializable,
            _ => Level::ReadCommitted,
        }
    }
}

/// Draws one kind of transaction.
type Draw = fn(&mut Workload, &mut Random) -> Script;

/// What all clients of a run share.
pub struct Workload {
    mix: Mix,
    levels: Levels,
    /// Of lists and of registers: no number is written twice.
    element_next: Element,
    /// Lists in use, with how often each was appended to.
    lists: Vec<(ListKey, u32)>,
    list_next: ListKey,
    scratch_next: u64,
    document_next: DocumentVersion,
    registers: Registers,
}

impl Workload {
    /// At the start of a run.
    pub fn new(mix: Mix, levels: Levels) -> Workload {
        let lists = (0..LISTS_ACTIVE).map(|key| (key as ListKey, 0)).collect();
        Workload {
            mix,
            levels,
            element_next: 1,
            lists,
            list_next: LISTS_ACTIVE as ListKey,
            scratch_next: 1,
            document_next: 1,
            registers: Registers::new(),
        }
    }

    /// Number of lists that may exist.
    pub fn lists_end(&self) -> ListKey {
        self.list_next
    }

    /// The next transaction of a client.
    pub fn draw(&mut self, random: &mut Random) -> Script {
        let mut at = random.range(0, self.mix.total());
        let Mix { lists, bank, tags, sequence, scratch, documents, families, registers } = self.mix;
        let draws: [(u64, Draw); 8] = [
            (lists, Workload::draw_lists),
            (bank, Workload::draw_bank),
            (tags, Workload::draw_tags),
            (sequence, Workload::draw_sequence),
            (scratch, Workload::draw_scratch),
            (documents, Workload::draw_documents),
            (families, Workload::draw_families),
            (registers, Workload::draw_registers),
        ];
        for (weight, draw) in draws {
            if at < weight {
                return draw(self, random);
            }
            at -= weight;
        }
        unreachable!("a number below the total lies in one of the parts")
    }

    fn draw_element(&mut self) -> Element {
        self.element_next += 1;
        self.element_next - 1
    }

    fn draw_list(&mut self, random: &mut Random) -> ListKey {
        self.lists[random.range(0, LISTS_ACTIVE as u64) as usize].0
    }

    fn draw_append(&mut self, random: &mut Random) -> Statement {
        let slot = &mut self.lists[random.range(0, LISTS_ACTIVE as u64) as usize];
        slot.1 += 1;
        let key = slot.0;
        if slot.1 >= APPENDS_PER_LIST {
            *slot = (self.list_next, 0);
            self.list_next += 1;
        }
        let element = self.draw_element();
        if random.one_in(2) { Statement::append_to(key, element) } else { Statement::append(key, element) }
    }

    fn draw_lists(&mut self, random: &mut Random) -> Script {
        let mut script = Script::new(self.levels.draw(random));
        for _ in 0..random.range(1, 6) {
            match random.range(0, 10) {
                0..=4 => script.push(self.draw_append(random)),
                5..=7 => {
                    let key = self.draw_list(random);
                    script.push(Statement::read_lists(key, key + 1));
                }
                _ => {
                    // From lists that are full to some that do not exist yet.
                    let from = self.list_next.saturating_sub(random.range(1, 12) as u32);
                    let to = from + random.range(2, 16) as u32;
                    script.push(Statement::read_lists(from, to));
                }
            }
        }
        script.with_savepoints(random).finish(random)
    }

    fn draw_bank(&mut self, random: &mut Random) -> Script {
        let mut script = Script::new(self.levels.draw(random));
        let (from, to) = (random.range(1, ACCOUNT_IDS + 1), random.range(1, ACCOUNT_IDS + 1));
        let amount = random.range(1, 20) as i64;
        match random.range(0, 8) {
            0..=1 => script.push(Statement::sum()),
            2 => {
                script.push(Statement::sum());
                script.push(Statement::sum());
            }
            3..=4 if from != to => script.push_all(Statement::transfer(from, to, amount)),
            5 if from != to => {
                script.make_repeatable();
                script.push_all(Statement::transfer_by_reading(from, to, amount));
            }
            6 if from != to => script.push_all(Statement::move_account(from, to)),
            _ => script.push(Statement::transfer_at_once(from, to, amount)),
        }
        script.finish(random)
    }

    fn draw_tags(&mut self, random: &mut Random) -> Script {
        let mut script = Script::new(self.levels.draw(random));
        let tag = |random: &mut Random| format!("t{:02}", random.range(0, TAGS));
        for _ in 0..random.range(1, 4) {
            let id = random.range(0, TAGGED_IDS) as u32;
            match random.range(0, 10) {
                0..=1 => script.push(Statement::insert_tag(id, &tag(random), random)),
                2..=3 => script.push(Statement::change_tag(id, &tag(random))),
                4 => script.push(Statement::delete_tag(id)),
                5 => script.push(Statement::change_tagged_id(id, random.range(0, TAGGED_IDS) as u32)),
                _ => {
                    let (one, other) = (tag(random), tag(random));
                    let (from, to) = (one.clone().min(other.clone()), one.max(other) + "~");
                    let both = random.one_in(2);
                    let through_index = both || random.one_in(2);
                    script.push(Statement::read_tags(&from, &to, through_index));
                    if both {
                        script.push(Statement::read_tags(&from, &to, false));
                    }
                }
            }
        }
        script.with_savepoints(random).finish(random)
    }

    fn draw_sequence(&mut self, random: &mut Random) -> Script {
        let mut script = Script::new(self.levels.draw(random));
        for _ in 0..random.range(1, 4) {
            script.push(Statement::next_values(if random.one_in(2) { 2 } else { 1 }));
        }
        script.finish(random)
    }

    fn draw_documents(&mut self, random: &mut Random) -> Script {
        let mut script = Script::new(self.levels.draw(random));
        for _ in 0..random.range(1, 4) {
            let id = random.range(0, DOCUMENT_IDS) as u32;
            match random.range(0, 8) {
                0..=2 => {
                    script.push(Statement::write_document(id, self.document_next));
                    self.document_next += 1;
                }
                3 => script.push(Statement::delete_document(id)),
                4..=5 => script.push(Statement::read_documents(id, id + 1)),
                _ => script.push(Statement::read_documents(0, DOCUMENT_IDS as u32)),
            }
        }
        script.with_savepoints(random).finish(random)
    }

    fn draw_families(&mut self, random: &mut Random) -> Script {
        let mut script = Script::new(self.levels.draw(random));
        if random.one_in(3) {
            script.push(Statement::count_orphans("children"));
            script.push(Statement::count_orphans("wards"));
            return script.finish(random);
        }
        for _ in 0..random.range(1, 4) {
            script.push(Statement::change_family(random));
        }
        script.with_savepoints(random).finish(random)
    }

    fn draw_scratch(&mut self, random: &mut Random) -> Script {
        let number = self.scratch_next;
        self.scratch_next += 1;
        Script::scratch(number, random)
    }
}
