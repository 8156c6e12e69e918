//! Questions to one shard outside of simulated time, over a connection of their own that ends with the answer.
//!
//! Owns what a tool says before its question. What the question costs the device is carried out at once.

use super::{Process, World};
use hexalog_protocol::frame::{PROTOCOL_VERSION, read_frame};
use hexalog_protocol::message::{Hello, Message, Role};
use hexalog_storage_core::effects::{Area, ConnectionId, Effect, Effects, Event, IoResult, Now};
use hexalog_storage_core::shard::Shard;

/// What a tool's connection begins with.
pub(super) fn tool_hello() -> Vec<u8> {
    let (version_low, version_high) = (PROTOCOL_VERSION, PROTOCOL_VERSION);
    let mut bytes = Vec::new();
    Message::Hello(Hello { version_low, version_high, role: Role::Tool, identity: &[] })
        .encode(1, &mut bytes);
    bytes
}

impl World {
    /// A connection that this run of the shard has not had yet.
    pub(super) fn draw_connection(&mut self, shard: usize) -> ConnectionId {
        let process = &mut self.processes[shard];
        let id = ConnectionId(process.next_connection);
        process.next_connection += 1;
        id
    }

    /// All that the shard, which runs, says to the question at once; see [`find_answer`].
    pub(super) fn ask(&mut self, shard: usize, question: &Message<'_>) -> Vec<u8> {
        let now = self.shard_now(shard);
        let id = self.draw_connection(shard);
        let Process { shard: machine, disk, .. } = &mut self.processes[shard];
        let machine = machine.as_mut().expect("it runs");
        let (answer, effects) = converse(machine, now, id, question, |area, offset, buffer| {
            disk.read(area, offset, buffer);
        });
        self.carry_out_shard(shard, effects);
        answer
    }
}

/// Puts a question to a machine over a connection that ends with the answer; what the answer needs of the device is read
/// at once. Returns all that it said, and the effects that are still to be carried out.
pub(super) fn converse(
    machine: &mut Shard,
    now: Now,
    id: ConnectionId,
    question: &Message<'_>,
    mut read: impl FnMut(Area, u64, &mut [u8]),
) -> (Vec<u8>, Effects) {
    let mut bytes = tool_hello();
    question.encode(2, &mut bytes);
    let mut effects = Effects::default();
    machine.handle(now, Event::Accepted(id), &mut effects);
    let mut rest = &bytes[..];
    while let Some(frame) = read_frame(rest).expect("own frames are valid") {
        rest = &rest[frame.frame_bytes..];
        machine.handle(now, Event::Frame(id, frame), &mut effects);
    }
    while let Some(at) = effects.list.iter().position(|effect| matches!(effect, Effect::Read { .. })) {
        let Effect::Read { token, area, offset, mut buffer } = effects.list.remove(at) else { break };
        read(area, offset, buffer.bytes_mut());
        machine.handle(now, Event::Read(token, IoResult::Done, buffer), &mut effects);
    }
    machine.handle(now, Event::Closed(id), &mut effects);
    let answer = std::mem::take(effects.send(id));
    effects.sends.retain(|(other, _)| *other != id);
    (answer, effects)
}

/// The first message among those said that is the answer.
pub(super) fn find_answer<T>(mut said: &[u8], mut pick: impl FnMut(Message<'_>) -> Option<T>) -> Option<T> {
    while let Some(frame) = read_frame(said).expect("shards send valid frames") {
        if let Some(answer) = pick(Message::decode(&frame).expect("shards send valid messages")) {
            return Some(answer);
        }
        said = &said[frame.frame_bytes..];
    }
    None
}
