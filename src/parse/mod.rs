//! From bytes to events: what a record is, which format it has, and what it says.
//!
//! [`records`] cuts a region into records and recognises each; [`canonical`] reads events as
//! the server itself writes them, [`object`] JSON events of every version and order, [`legacy`] the two text formats, [`json`] proves JSON sound. This room opens nothing and
//! prints nothing: it hands borrowed events and counted problems to a [`records::Visitor`].

pub mod canonical;
mod container;
pub mod convert;
mod cri;
mod envelope;
pub mod json;
pub mod landmarks;
pub mod legacy;
mod nesting;
pub mod object;
mod outline;
pub mod pieces;
mod prefix;
mod quote;
pub mod records;
pub mod sieve;
mod simd;
