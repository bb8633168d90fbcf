//! `compare` runs auditq and its peers on the same logs and tells how their times compare.

use std::process::ExitCode;

use auditq_bench::compare::{Fallible, measure, options, run};

fn main() -> ExitCode {
    match act(std::env::args().skip(1).collect()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare: {error}");
            ExitCode::FAILURE
        }
    }
}

fn act(arguments: Vec<String>) -> Fallible<()> {
    match arguments.first().map(String::as_str) {
        Some("--help" | "-h") => print!("{}", options::USAGE),
        Some(measure::HELPER) => println!("{}", measure::help(arguments.into_iter().skip(1))?),
        _ => run(&options::Options::read(arguments.into_iter())?)?,
    }
    Ok(())
}
