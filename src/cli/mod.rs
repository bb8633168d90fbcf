//! The command line: flags as typed (`args`), then one checked configuration (`config`).
//!
//! Only this room knows clap, the environment, the terminal and the clock.

mod answer;
mod args;
mod compare;
mod config;
mod history;
mod denied;
mod disruptions;
mod interrupt;
mod pace;
mod rbac;
mod receive;
mod sessions;
mod show;
mod views;

pub use answer::Form;
pub use args::completion_script;
pub use compare::{CompareConfig, Division};
pub use config::{Command, Config, NamesConfig, Output, QueryConfig, Sort, SummaryConfig, resolve};
pub use denied::DeniedConfig;
pub use disruptions::DisruptionsConfig;
pub use history::HistoryConfig;
pub use interrupt::stop_on_interrupt;
pub use pace::Pace;
pub use rbac::{RbacConfig, RbacForm, RbacQuestion};
pub use sessions::SessionsConfig;
pub use show::{ShowConfig, ShowFormat};
