//! The one thread that writes. Batches that wait together share one sync of the disk.
//!
//! In blocking mode every event is a batch of its own, sent on one of many connections; a disk that
//! takes a millisecond to sync would otherwise take a thousand events a second and no more.

use std::io;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::Notices;
use super::list::Lines;
use super::notices::Kind;
use super::store::{Store, Totals};
use crate::render::receive as messages;

/// Batches are written together up to so many bytes.
const GROUP: usize = 4 << 20;

/// A batch that waits to be written.
pub(super) struct Batch {
    pub(super) lines: Lines,
    /// Told when the batch is on the disk, or cannot be.
    pub(super) reply: oneshot::Sender<Result<(), Failure>>,
}

/// Why a batch was not kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Failure {
    /// No space is left.
    DiskFull,
    /// Anything else.
    Other,
}

impl Failure {
    fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Failure::DiskFull,
            _ => Failure::Other,
        }
    }
}

/// Writes until nobody is left who could send a batch.
pub(super) struct Writer {
    pub(super) store: Store,
    /// The most bytes that are written together: no more than a file may hold.
    pub(super) group: usize,
    pub(super) notices: Arc<Notices>,
    /// Told after each rotation.
    pub(super) rotations: std::sync::mpsc::Sender<()>,
}

impl Writer {
    /// How many bytes are written together, with files of this size.
    pub(super) fn group(max_size: Option<u64>) -> usize {
        max_size.map_or(GROUP, |most| usize::try_from(most).unwrap_or(GROUP).min(GROUP))
    }

    /// Writes what comes; ends with what was kept, and with why the last of it may not be on the disk.
    pub(super) fn run(mut self, mut queue: mpsc::Receiver<Batch>) -> (Totals, io::Result<()>) {
        let mut held = None;
        while let Some(first) = held.take().or_else(|| queue.blocking_recv()) {
            let mut bytes = first.lines.text.len();
            let mut group = vec![first];
            while bytes < self.group
                && let Ok(next) = queue.try_recv()
            {
                bytes += next.lines.text.len();
                if bytes > self.group {
                    held = Some(next);
                    break;
                }
                group.push(next);
            }
            self.write(group);
        }
        let end = self.store.finish();
        (self.store.totals, end)
    }

    fn write(&mut self, group: Vec<Batch>) {
        let lines: Vec<&Lines> = group.iter().map(|batch| &batch.lines).collect();
        let outcome = match self.store.append(&lines) {
            Ok(rotated) => {
                self.notices.healthy(true);
                if let Some(error) = rotated.failure {
                    self.notices.say(Kind::Rotation, |times| messages::rotation_failed(&error, times));
                }
                if rotated.done {
                    // The keeper ends only after this thread.
                    let _ = self.rotations.send(());
                }
                Ok(())
            }
            Err(error) => {
                self.notices.healthy(false);
                self.notices.say(Kind::Write, |times| messages::write_failed(&error, times));
                Err(Failure::of(&error))
            }
        };
        for batch in group {
            // Nobody listens when the sender has hung up; it will send again, and be told then.
            let _ = batch.reply.send(outcome);
        }
    }
}
