//! `auditq receive` against a client that behaves like the API server's webhook backend: it posts lists over
//! connections it keeps, and sends a batch again, byte for byte, until it is told that the batch was taken.

#[path = "../common/mod.rs"]
mod common;

mod batches;
mod limits;
mod stops;
mod trust;
mod webhook;
