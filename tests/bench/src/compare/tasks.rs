//! What is run: each task becomes answers to compare and pairs to time.

use std::path::Path;

use super::Fallible;
use super::check::{Check, How};
use super::command::Command;
use super::duel::Duel;
use super::files::{Files, Log, bytes, window};
use super::peers::{Peer, Peers, Road};
use super::questions::{self, Question};

/// What every task needs to know.
pub struct Bench {
    /// The logs.
    pub files: Files,
    /// The other tools.
    pub peers: Peers,
    /// The program that is measured.
    pub auditq: String,
}

impl Bench {
    fn auditq(&self, question: &Question, more: &[&str], logs: &[&Path]) -> Command {
        let command = Command::new(&self.auditq, question.arguments()).and(more);
        logs.iter().fold(command, |command, log| command.and(&[&log.to_string_lossy()]))
    }

    /// The log as Parquet, and the seconds it took to make it.
    ///
    /// # Errors
    ///
    /// When DuckDB fails.
    pub fn parquet(&self, log: Log, road: Road) -> Fallible<(String, f64)> {
        let convert = |plain: &Path, parquet: &Path| {
            let sql = questions::to_parquet(&plain.to_string_lossy(), &parquet.to_string_lossy());
            Ok(questions::engine(Peer::Parquet, road, &sql).measure()?.seconds)
        };
        let (path, seconds) = self.files.converted(log, ".parquet", convert)?;
        Ok((path.display().to_string(), seconds))
    }
}

/// A question, before the log is there to choose a window from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// [`Question::GroupBy`].
    GroupBy,
    /// [`Question::Rare`].
    Rare,
    /// [`Question::Window`].
    Window,
    /// [`Question::Latency`].
    Latency,
}

impl Kind {
    fn question(self, log: &Path) -> Fallible<Question> {
        Ok(match self {
            Kind::GroupBy => Question::GroupBy,
            Kind::Rare => Question::Rare,
            Kind::Window => {
                let (since, until) = window(log)?;
                Question::Window { since, until }
            }
            Kind::Latency => Question::Latency,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Kind::GroupBy => "group-by",
            Kind::Rare => "rare",
            Kind::Window => "window",
            Kind::Latency => "latency",
        }
    }
}

/// One line of work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Task {
    /// A question asked of a plain log.
    Ask(Log, Kind),
    /// The group-by over one gzip file.
    GzipOne,
    /// The group-by over four gzip files at once.
    GzipFour,
    /// How long it takes to start.
    Version,
}

/// What a task comes to.
pub struct Plan {
    /// Answers that must be the same.
    pub checks: Vec<Check>,
    /// Pairs to time.
    pub duels: Vec<Duel>,
}

impl Task {
    /// All tasks, in the order of the tables.
    pub fn all() -> Vec<Task> {
        let asked = [
            (Log::Metadata, Kind::GroupBy),
            (Log::Metadata, Kind::Rare),
            (Log::Metadata, Kind::Window),
            (Log::Metadata, Kind::Latency),
            (Log::Rr, Kind::GroupBy),
            (Log::Rr, Kind::Rare),
            (Log::Rr, Kind::Window),
            (Log::Legacy, Kind::GroupBy),
        ];
        let asked = asked.into_iter().map(|(log, kind)| Task::Ask(log, kind));
        asked.chain([Task::GzipOne, Task::GzipFour, Task::Version]).collect()
    }

    /// As `--tasks` takes it and tables show it.
    pub fn name(&self) -> String {
        match self {
            Task::Ask(log, kind) => format!("{}-{}", log.name(), kind.name()),
            Task::GzipOne => "gzip-one".to_owned(),
            Task::GzipFour => "gzip-four".to_owned(),
            Task::Version => "version".to_owned(),
        }
    }

    /// Makes the files and says what to compare.
    ///
    /// # Errors
    ///
    /// When files cannot be made.
    pub fn plan(&self, bench: &Bench) -> Fallible<Plan> {
        match self {
            Task::Ask(log, kind) => Asked::new(bench, *self, *log, *kind)?.plan(),
            Task::GzipOne => gzip_one(bench),
            Task::GzipFour => gzip_four(bench),
            Task::Version => Ok(version(bench)),
        }
    }
}

/// A question asked of a plain log, and everything to ask it with.
struct Asked<'b> {
    bench: &'b Bench,
    task: Task,
    log: Log,
    kind: Kind,
    question: Question,
    path: std::path::PathBuf,
    bytes: u64,
    plan: Plan,
}

impl<'b> Asked<'b> {
    fn new(bench: &'b Bench, task: Task, log: Log, kind: Kind) -> Fallible<Self> {
        let path = bench.files.log(log)?;
        let plan = Plan { checks: Vec::new(), duels: Vec::new() };
        Ok(Asked { bench, task, log, kind, question: kind.question(&path)?, bytes: bytes(&path)?, path, plan })
    }

    fn plan(mut self) -> Fallible<Plan> {
        for peer in [Peer::Wc, Peer::Rg, Peer::Grep, Peer::Jq, Peer::DuckDb, Peer::ClickHouse, Peer::Parquet] {
            if let Some(road) = self.bench.peers.road(peer) {
                self.against(peer, road)?;
            }
        }
        if self.kind == Kind::Latency {
            let groups = self.bench.auditq(&Question::GroupBy, &[], &[&self.path]);
            self.duel(AUDITQ_GROUP_BY, &[], groups);
        }
        Ok(self.plan)
    }

    fn against(&mut self, peer: Peer, road: Road) -> Fallible<()> {
        let path = self.path.to_string_lossy().into_owned();
        match peer {
            Peer::Wc => self.line_counter(peer, Command::new("wc", ["-l", &path])),
            Peer::Rg | Peer::Grep => {
                if let Some(text) = self.text() {
                    let command = Command::new(peer.program(), ["-c", "-F", "-e", &text, &path]);
                    self.line_counter(peer, command.piped());
                }
            }
            _ if self.log == Log::Legacy => {}
            Peer::Jq => self.jq()?,
            Peer::DuckDb => self.engine(peer, road, &self.question.duckdb(&path)),
            Peer::ClickHouse => self.engine(peer, road, &self.question.clickhouse(&path)),
            Peer::Parquet => {
                let (parquet, _) = self.bench.parquet(self.log, road)?;
                self.engine(peer, road, &self.question.parquet(&parquet));
            }
            _ => {}
        }
        Ok(())
    }

    /// What a line counter looks for: lines of a text log are no JSON.
    fn text(&self) -> Option<String> {
        if self.log == Log::Legacy { Some(" AUDIT: id=\"".to_owned()) } else { self.question.text() }
    }

    /// A tool that counts lines says as much as auditq only where lines are what is asked for;
    /// elsewhere `wc -l` is but the time it takes to read the file.
    fn line_counter(&mut self, peer: Peer, command: Command) {
        let how = match (self.kind, peer) {
            (Kind::GroupBy, _) => Some((How::Records, &[][..])),
            (Kind::Rare, Peer::Rg | Peer::Grep) => Some((How::Hits, self.question.as_lines())),
            _ => None,
        };
        if let Some((how, flags)) = how {
            let mine = self.bench.auditq(&self.question, flags, &[&self.path]);
            self.check(peer.name(), mine, command.clone(), how);
        }
        self.duel(peer.name(), &[], command);
    }

    fn engine(&mut self, peer: Peer, road: Road, sql: &str) {
        let command = questions::engine(peer, road, sql);
        let mine = self.bench.auditq(&self.question, self.question.as_lines(), &[&self.path]);
        self.check(peer.name(), mine, command.clone(), How::Rows(self.question.shape()));
        self.duel(peer.name(), self.question.as_lines(), command);
    }

    /// jq reads a smaller log of the same kind; its time is scaled by bytes.
    fn jq(&mut self) -> Fallible<()> {
        let small = self.bench.files.small_log(self.log)?;
        let question = self.kind.question(&small)?;
        let theirs = Command::new("jq", ["-nc", &question.jq(), &small.to_string_lossy()]);
        let mine = self.bench.auditq(&question, question.as_lines(), &[&small]);
        self.check(Peer::Jq.name(), mine, theirs.clone(), How::Rows(question.shape()));
        self.duel(Peer::Jq.name(), self.question.as_lines(), theirs);
        if let Some(duel) = self.plan.duels.last_mut() {
            duel.rival_bytes = bytes(&small)?;
        }
        Ok(())
    }

    fn check(&mut self, rival: &str, mine: Command, theirs: Command, how: How) {
        self.plan.checks.push(Check { task: self.task.name(), rival: rival.to_owned(), mine, theirs, how });
    }

    fn duel(&mut self, rival: &str, flags: &[&str], theirs: Command) {
        let mine = self.bench.auditq(&self.question, flags, &[&self.path]);
        self.plan.duels.push(Duel::new(&self.task.name(), rival, self.bytes, vec![mine], vec![theirs]));
    }
}

/// The rival of the latency task: counting without percentiles.
pub const AUDITQ_GROUP_BY: &str = "auditq group-by";
/// The rival of four files at once.
pub const AUDITQ_IN_TURN: &str = "auditq, one after another";

fn gzip_one(bench: &Bench) -> Fallible<Plan> {
    let task = Task::GzipOne.name();
    let (plain, path) = (bench.files.log(Log::Metadata)?, bench.files.gzip(Log::Metadata)?);
    let mine = bench.auditq(&Question::GroupBy, &[], &[&path]);
    let size = bytes(&plain)?;
    let duel = |peer: Peer| {
        let flags: &[&str] = match peer {
            Peer::Rapidgzip => &["-d", "-c", "-P", "0"],
            Peer::Libdeflate => &["-c"],
            _ => &["-d", "-c"],
        };
        let theirs = Command::new(peer.program(), flags.iter().copied()).and(&[&path.to_string_lossy()]);
        Duel::new(&task, peer.name(), size, vec![mine.clone()], vec![theirs])
    };
    let gunzips = Peer::GUNZIPS.into_iter().filter(|&peer| bench.peers.road(peer).is_some());
    let duels = gunzips.map(duel).collect();
    Ok(Plan { checks: vec![same_as_plain(bench, &task, mine.clone(), &plain)], duels })
}

fn gzip_four(bench: &Bench) -> Fallible<Plan> {
    let task = Task::GzipFour.name();
    let (plain, parts) = (bench.files.log(Log::Metadata)?, bench.files.gzip_quarters(Log::Metadata)?);
    let parts: Vec<&Path> = parts.iter().map(AsRef::as_ref).collect();
    let mine = bench.auditq(&Question::GroupBy, &[], &parts);
    let in_turn = parts.iter().map(|part| bench.auditq(&Question::GroupBy, &[], &[part])).collect();
    let duel = Duel::new(&task, AUDITQ_IN_TURN, bytes(&plain)?, vec![mine.clone()], in_turn);
    Ok(Plan { checks: vec![same_as_plain(bench, &task, mine, &plain)], duels: vec![duel] })
}

fn same_as_plain(bench: &Bench, task: &str, mine: Command, plain: &Path) -> Check {
    let theirs = bench.auditq(&Question::GroupBy, &[], &[plain]);
    let how = How::Requests(Question::GroupBy.shape());
    Check { task: task.to_owned(), rival: "auditq on the plain log".to_owned(), mine, theirs, how }
}

fn version(bench: &Bench) -> Plan {
    let mine = Command::new(&bench.auditq, ["--version"]);
    Plan { checks: Vec::new(), duels: vec![Duel::new(&Task::Version.name(), "", 0, vec![mine], Vec::new())] }
}
