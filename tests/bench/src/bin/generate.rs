//! `generate` writes an audit log of a chosen shape and size to standard output.

use std::io::{self, Write};
use std::process::ExitCode;

use auditq_bench::run::{Plan, Profile, run};
use auditq_bench::size;

const USAGE: &str = "\
usage: generate --profile metadata|rr|mixed|legacy|oneline --size SIZE
                [--seed N] [--stages all|complete] [--gzip] > FILE

  --size     bytes before compression: 500000, 64KiB, 100MB, 2GB
  --seed     another number, another log (default 1)
  --stages   complete leaves RequestReceived out, as omitStages does (default all)
  --gzip     compress

The same arguments give the same bytes.
";

fn main() -> ExitCode {
    match read(std::env::args().skip(1)).and_then(|(plan, gzip)| write(&plan, gzip).map_err(|error| error.to_string()))
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("generate: {error}");
            ExitCode::from(2)
        }
    }
}

fn read(mut arguments: impl Iterator<Item = String>) -> Result<(Plan, bool), String> {
    let mut plan = Plan { profile: Profile::Metadata, size: 0, seed: 1, all_stages: true };
    let (mut gzip, mut profile) = (false, None);
    while let Some(flag) = arguments.next() {
        if flag == "--gzip" {
            gzip = true;
            continue;
        }
        let value = arguments.next().ok_or_else(|| format!("{flag} needs a value, or is unknown\n{USAGE}"))?;
        match (flag.as_str(), value.as_str()) {
            ("--profile", "metadata") => profile = Some(Profile::Metadata),
            ("--profile", "rr") => profile = Some(Profile::Rr),
            ("--profile", "mixed") => profile = Some(Profile::Mixed),
            ("--profile", "legacy") => profile = Some(Profile::Legacy),
            ("--profile", "oneline") => profile = Some(Profile::Oneline),
            ("--stages", "all") => plan.all_stages = true,
            ("--stages", "complete") => plan.all_stages = false,
            ("--seed", text) => plan.seed = text.parse().map_err(|_| format!("--seed {text} is not a number"))?,
            ("--size", text) => plan.size = size::parse(text).ok_or_else(|| format!("--size {text} is not a size"))?,
            _ => return Err(format!("{flag} {value} is unknown\n{USAGE}")),
        }
    }
    plan.profile = profile.ok_or_else(|| format!("--profile is missing\n{USAGE}"))?;
    if plan.size == 0 {
        return Err(format!("--size is missing\n{USAGE}"));
    }
    Ok((plan, gzip))
}

fn write(plan: &Plan, gzip: bool) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    let done = if gzip {
        let mut encoder = flate2::write::GzEncoder::new(&mut stdout, flate2::Compression::new(6));
        run(plan, &mut encoder).and_then(|_| encoder.finish()).and_then(|stdout| stdout.flush())
    } else {
        run(plan, &mut stdout).map(drop)
    };
    match done {
        // `generate … | head` is a fair use.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}
