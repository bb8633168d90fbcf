//! Deterministic Kubernetes audit logs of any size, for measuring auditq.
//!
//! A small simulation: [`users`] are drawn by a Zipf law, each does one of the operations of its
//! kind ([`ops`]), every operation becomes the stages a real API server writes, and a queue ordered
//! by time interleaves them ([`run`]).
//! Lines are written in the server's own field order and escaping ([`lines`]).
//! The same arguments give the same bytes: no clock, no thread, no hash order.
//!
//! [`compare`] runs auditq and other tools over such logs, checks that they agree, and times them.

pub mod bodies;
pub mod compare;
pub mod lines;
pub mod ops;
pub mod random;
pub mod run;
pub mod size;
pub mod text;
pub mod users;
