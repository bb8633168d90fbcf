//! The command line: flags as typed (`args`), then one checked configuration (`config`), with a file for each
//! command.
//!
//! Only this room knows clap, the environment, the terminal and the clock.

mod answer;
mod args;
mod compare;
mod config;
mod history;
mod denied;
mod disruptions;
mod filter;
mod follow;
mod inspect;
mod interrupt;
mod names;
mod pace;
mod query;
mod rbac;
mod receive;
mod sessions;
mod show;
mod summary;
mod terminal;
mod views;

pub use answer::Form;
pub use args::completion_script;
pub use compare::{CompareConfig, Division};
pub use config::{Command, Config, Output, resolve};
pub use denied::DeniedConfig;
pub use disruptions::DisruptionsConfig;
pub use history::HistoryConfig;
pub use interrupt::stop_on_interrupt;
pub use names::NamesConfig;
pub use pace::Pace;
pub use query::{QueryConfig, Sort};
pub use rbac::{RbacConfig, RbacForm, RbacQuestion};
pub use sessions::SessionsConfig;
pub use show::{ShowConfig, ShowFormat};
pub use summary::SummaryConfig;
