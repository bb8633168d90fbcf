//! Text for people and programs: tables, lines, CSV, YAML and small charts.
//!
//! Plain functions of their arguments that append to a `Vec<u8>`. This room opens no files and knows
//! neither flags nor clock; whoever calls it owns the output. Whatever came from the log is escaped
//! before a terminal, a spreadsheet or a YAML reader can mistake it for instructions
//! ([`sanitize`]), and the same event gives the same bytes from any thread.

pub mod answer;
pub mod chart;
pub mod color;
mod columns;
pub mod csv;
pub mod document;
pub mod human;
pub mod inspect;
mod lines;
pub mod messages;
pub mod names;
mod path;
pub mod progress;
pub mod receive;
pub mod sanitize;
pub mod screen;
pub mod sink;
pub mod summary;
mod table;
mod template;
mod value;

pub use human::TimeZoneChoice;
pub use lines::{RowContext, RowFormat};
pub use path::Path;
pub use table::{Cell, Column, Kind, Table, render_csv, render_table};
pub use template::Template;
pub use value::json_value;
