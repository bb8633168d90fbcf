//! Which requests were settled of late, so that repeats of them are recognised.

use hashbrown::HashMap;

use super::far::Far;
use super::journal::{Entry, Noted};
use super::waiting::Stages;
use super::{Identity, Owner};
use crate::aggregate::Slot;
use crate::event::Stage;
use crate::hash;

/// Sixteen bytes with its identity: half a million of them are held.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settled {
    pub(super) owner: Owner,
    pub(super) slot: Slot,
    pub(super) stages: Stages,
}

impl Settled {
    /// A two-line pair.
    pub(super) const fn pair(owner: Owner, slot: Slot) -> Self {
        Settled { owner, slot, stages: Stages::of(Stage::RequestReceived.rank()) }
    }
}

/// The settled requests of late: at least the last [`Window::SIZE`] of them. Two generations, so
/// that forgetting is one swap and depends on nothing but the order of the input.
#[derive(Default)]
pub(super) struct Window {
    young: HashMap<u64, Settled, hash::AsIs>,
    old: HashMap<u64, Settled, hash::AsIs>,
    /// Whether none of the entries at hand is in the older generation.
    none_is_old: bool,
    /// Those before, if they matter.
    far: Option<Far>,
    /// Whether none of the entries at hand is among those.
    none_is_far: bool,
}

impl Window {
    /// Seven eighths of a power of two, as full as the table can be.
    pub(super) const SIZE: usize = (1 << 18) / 8 * 7;

    /// So many are room enough for small logs.
    const FIRST: usize = (1 << 10) / 8 * 7;

    /// What was seen is remembered for longer.
    pub(super) fn of_several_logs() -> Self {
        Window { far: Some(Far::default()), ..Window::default() }
    }

    /// Looks for the requests of these entries. Each is a miss of the cache in both generations; here
    /// nothing waits for what another finds, so that the memory answers several at once.
    pub(super) fn look_ahead(&mut self, entries: &[Noted]) {
        let (mut young, mut old) = (0, 0);
        let asked = entries.iter().filter(|noted| !matches!(noted.entry, Entry::Gone | Entry::Passed(_)));
        let hashes = asked.map(|noted| noted.identity.0);
        for hash in hashes.clone() {
            young += usize::from(self.young.contains_key(&hash));
            old += usize::from(self.old.contains_key(&hash));
        }
        // Both are counted so that both are looked for; mostly none is there.
        self.none_is_old = young + old == 0;
        self.none_is_far = self.far.as_ref().is_none_or(|far| !far.may_hold_one(hashes));
    }

    /// Makes room for more. Each larger table is written anew, page by page, so there are few of them; a second
    /// generation will be as large as the first.
    #[cold]
    fn grow(&mut self) {
        let (held, full) = (self.young.len(), Self::SIZE);
        let wanted = if self.old.is_empty() { (held * 4).clamp(Self::FIRST, full) } else { full };
        self.young.reserve(wanted.saturating_sub(held).max(1));
    }

    /// Remembers a request that is not there yet.
    pub(super) fn insert(&mut self, identity: Identity, settled: Settled) {
        if self.young.len() >= Self::SIZE {
            std::mem::swap(&mut self.young, &mut self.old);
            self.none_is_old = false;
            if let Some(far) = &mut self.far {
                far.extend(self.young.keys().copied());
                self.none_is_far = false;
            }
            self.young.clear();
        }
        if self.young.len() == self.young.capacity() {
            self.grow();
        }
        self.young.insert(identity.0, settled);
    }

    /// Whether a request was settled before those of late, and is none of them: one that was given up may have been
    /// settled again.
    #[inline]
    pub(super) fn is_far(&self, identity: Identity) -> bool {
        !self.none_is_far && self.far.as_ref().is_some_and(|far| far.contains(identity.0)) && !self.is_near(identity)
    }

    fn is_near(&self, identity: Identity) -> bool {
        self.young.contains_key(&identity.0) || self.old.contains_key(&identity.0)
    }

    /// Remembers a request unless it is there already, and tells whether it was not.
    #[inline]
    pub(super) fn insert_new(&mut self, identity: Identity, settled: Settled) -> bool {
        if !self.none_is_old && self.old.contains_key(&identity.0) {
            return false;
        }
        if self.young.len() < self.young.capacity().min(Self::SIZE) {
            return self.young.try_insert(identity.0, settled).is_ok();
        }
        let is_new = !self.young.contains_key(&identity.0);
        if is_new {
            self.insert(identity, settled);
        }
        is_new
    }

    pub(super) fn get_mut(&mut self, identity: Identity) -> Option<&mut Settled> {
        self.young.get_mut(&identity.0).or_else(|| self.old.get_mut(&identity.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_of_several_logs_are_remembered_for_longer() {
        let settled = Settled { owner: Owner(0), slot: Slot::NONE, stages: Stages::of(3) };
        let all = Window::SIZE as u64 * 3;
        for several in [false, true] {
            let mut window = Window { far: several.then(Far::default), ..Window::default() };
            for identity in 0..all {
                window.insert(Identity(identity), settled);
            }
            let known = |window: &mut Window, identity| {
                window.get_mut(Identity(identity)).is_some() || window.is_far(Identity(identity))
            };
            assert!(known(&mut window, all - 1) && known(&mut window, all - Window::SIZE as u64));
            assert_eq!(known(&mut window, 0), several);
            assert!(!known(&mut window, all));
        }
    }
}
