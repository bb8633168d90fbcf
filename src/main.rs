//! The command: resolve flags, run, turn the outcome into an exit status.

use std::process::ExitCode;

use auditq::cli::{resolve, stop_on_interrupt};
use auditq::exit::Exit;
use auditq::render::sink::Sink;
use auditq::run::run;

fn main() -> ExitCode {
    match resolve(std::env::args_os()) {
        Ok(config) => {
            // Where signals cannot be handled they end the program, as without us.
            let _ = stop_on_interrupt(&config.stop);
            run(config).into()
        }
        Err((text, wanted)) if wanted => {
            let _ = Sink::answers().write(text.as_bytes());
            Exit::Complete.into()
        }
        Err((text, _)) => {
            let _ = Sink::messages().write(text.as_bytes());
            Exit::Usage.into()
        }
    }
}
