//! When the newest event is, which the account of every run knows: nothing is asked of the requests.

use super::{Amendment, Question, Seen, Slot};

/// The question that leaves everything to the account.
pub struct Newest;

impl Question for Newest {
    type Partial = ();

    const IN_ORDER: bool = false;

    fn empty(&self) {}

    fn observe(&self, (): &mut (), _: &Seen<'_, '_>) -> Slot {
        Slot::NONE
    }

    fn amend(&self, (): &mut (), _: Slot, _: Amendment) {}

    fn merge(&self, (): &mut (), (): ()) {}
}
