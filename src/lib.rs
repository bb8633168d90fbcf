//! auditq reads Kubernetes audit logs as people really have them and answers their questions fast
//! and truthfully.
//!
//! Bytes go one way:
//!
//! ```text
//!   bytes           lines            events            yes / no         partials               text
//!   input ────────► parse ─────────► event ──────────► query ─────────► aggregate ───────────► render
//!   files, stdin,   json, legacy,    typed, borrowed   checked filter   observe·merge·finish   table, json,
//!   gzip, rotation  prefixes         from the line                                             csv, lines
//!        └── scan: cuts input into chunks at record starts, joins and merges in input order ──┘
//!   cli: flags → Config, once              main: Config → scan → render → exit code
//! ```
//!
//! Everyone may use [`event`]; beyond that a step knows only the one on its left.

pub mod input;
pub mod parse;
pub mod event;
pub mod query;
pub mod object;
pub mod rbac;
pub mod aggregate;
pub mod render;
pub mod scan;
pub mod receive;
pub mod cli;
pub mod exit;
mod hash;
pub mod run;
