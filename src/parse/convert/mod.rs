//! Events put together again that a collector took apart.

use bumpalo::Bump;

use crate::event::{Origin, RawJson};

/// Rebuilds the events of an object in a collector's own arrangement. Calls `take` with each as one line
/// of JSON in the server's own member order and what is known of its origin; returns false if the object
/// is of no kind known here.
pub fn convert<'a>(_: RawJson<'a>, _: &'a Bump, _: &mut dyn FnMut(&'a [u8], Origin<'a>)) -> bool {
    false
}
