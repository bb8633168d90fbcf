//! The other tools: which are installed, and how each is called.

use super::command::Command;

/// A tool that auditq is compared with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Peer {
    Wc,
    Rg,
    Grep,
    Jq,
    DuckDb,
    ClickHouse,
    Parquet,
    Gzip,
    Pigz,
    Igzip,
    Rapidgzip,
    Libdeflate,
}

impl Peer {
    /// All of them, in the order of the tables.
    pub const ALL: [Peer; 12] = [
        Peer::Wc,
        Peer::Rg,
        Peer::Grep,
        Peer::Jq,
        Peer::DuckDb,
        Peer::ClickHouse,
        Peer::Parquet,
        Peer::Gzip,
        Peer::Pigz,
        Peer::Igzip,
        Peer::Rapidgzip,
        Peer::Libdeflate,
    ];

    /// As tables show it.
    pub fn name(self) -> &'static str {
        match self {
            Peer::Wc => "wc -l",
            Peer::Rg => "rg -c",
            Peer::Grep => "grep -c",
            Peer::Jq => "jq",
            Peer::DuckDb => "DuckDB",
            Peer::ClickHouse => "ClickHouse",
            Peer::Parquet => "DuckDB on Parquet",
            Peer::Gzip => "gzip -dc",
            Peer::Pigz => "pigz -dc",
            Peer::Igzip => "igzip -dc",
            Peer::Rapidgzip => "rapidgzip -dc",
            Peer::Libdeflate => "libdeflate-gunzip -c",
        }
    }

    /// As `--peers` takes it.
    pub fn flag(self) -> &'static str {
        match self {
            Peer::DuckDb => "duckdb",
            Peer::ClickHouse => "clickhouse",
            Peer::Parquet => "parquet",
            other => other.program(),
        }
    }

    /// The program to look for.
    pub fn program(self) -> &'static str {
        match self {
            Peer::Wc => "wc",
            Peer::Rg => "rg",
            Peer::Grep => "grep",
            Peer::Jq => "jq",
            Peer::DuckDb | Peer::Parquet => "duckdb",
            Peer::ClickHouse => "clickhouse",
            Peer::Gzip => "gzip",
            Peer::Pigz => "pigz",
            Peer::Igzip => "igzip",
            Peer::Rapidgzip => "rapidgzip",
            Peer::Libdeflate => "libdeflate-gunzip",
        }
    }

    /// The Python module that is as good as the program.
    fn module(self) -> Option<&'static str> {
        match self {
            Peer::DuckDb | Peer::Parquet => Some("duckdb"),
            Peer::ClickHouse => Some("chdb"),
            _ => None,
        }
    }

    fn version_of_program(self) -> Option<String> {
        let flags: &[&str] = match self {
            Peer::ClickHouse => &["local", "--version"],
            Peer::Libdeflate => &["-V"],
            _ => &["--version"],
        };
        first_line(&Command::new(self.program(), flags.iter().copied()))
    }

    fn version_of_module(self) -> Option<String> {
        let module = self.module()?;
        let ask = format!("import {module}; print({module}.__version__)");
        Some(format!("Python module {module} {}", first_line(&Command::new("python3", ["-c", &ask]))?))
    }

    /// The tools that decompress.
    pub const GUNZIPS: [Peer; 5] = [Peer::Gzip, Peer::Pigz, Peer::Igzip, Peer::Rapidgzip, Peer::Libdeflate];
}

/// How an installed tool is called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Road {
    /// As a program.
    Program,
    /// As a module of Python, which tells the time of the query without that of starting Python.
    Module,
}

/// A tool that is there.
#[derive(Clone, Debug)]
pub struct Installed {
    /// Which.
    pub peer: Peer,
    /// How it is called.
    pub road: Road,
    /// What it says of itself.
    pub version: String,
}

/// Every tool is in one of these lists.
pub struct Peers {
    /// There and wanted.
    pub installed: Vec<Installed>,
    /// Wanted, but not there.
    pub missing: Vec<Peer>,
    /// Not wanted.
    pub left_out: Vec<Peer>,
}

impl Peers {
    /// Looks for the wanted tools, or for all.
    pub fn find(wanted: Option<&[Peer]>) -> Peers {
        let mut peers = Peers { installed: Vec::new(), missing: Vec::new(), left_out: Vec::new() };
        for peer in Peer::ALL {
            if wanted.is_some_and(|wanted| !wanted.contains(&peer)) {
                peers.left_out.push(peer);
            } else if let Some(version) = peer.version_of_program() {
                peers.installed.push(Installed { peer, road: Road::Program, version });
            } else if let Some(version) = peer.version_of_module() {
                peers.installed.push(Installed { peer, road: Road::Module, version });
            } else {
                peers.missing.push(peer);
            }
        }
        peers
    }

    /// How it is called, if it is there and wanted.
    pub fn road(&self, peer: Peer) -> Option<Road> {
        self.installed.iter().find(|installed| installed.peer == peer).map(|installed| installed.road)
    }
}

fn first_line(command: &Command) -> Option<String> {
    let answer = command.answer().ok()?;
    let text = String::from_utf8_lossy(&answer);
    text.lines().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
}
