//! The command line: flags as typed (`args`), then one checked configuration (`config`).
//!
//! Only this room knows clap, the environment, the terminal and the clock.

mod answer;
mod args;
mod config;
mod interrupt;
mod pace;
mod receive;

pub use answer::Form;
pub use args::completion_script;
pub use config::{Command, Config, NamesConfig, Output, QueryConfig, Sort, SummaryConfig, resolve};
pub use interrupt::stop_on_interrupt;
pub use pace::Pace;
