//! What Kubernetes objects are made of: fields and their paths, what changed between two versions, and
//! what a patch does to an object.
//!
//! This room works on JSON values that somebody else took out of a log, and gives values and texts back.
//! It knows neither events nor output nor clap. Bodies come from hostile logs: depth is bounded
//! ([`MAX_DEPTH`]), lists are matched by hashed keys, and what a body cannot tell is said instead of guessed.

pub mod diff;
#[cfg(test)]
mod laws;
pub mod patch;
pub mod path;
pub mod replay;
pub mod schema;
pub mod secret;

pub use diff::{Change, DiffOptions, diff};
pub use patch::{Impossible, Patch, PatchKind, Patched, Recognised, asked, patch_kind};
pub use path::Path;

/// How deep an object may nest. `serde_json` reads no deeper than 128, and patches may not build deeper
/// ones than the API server would read.
pub const MAX_DEPTH: usize = 160;
