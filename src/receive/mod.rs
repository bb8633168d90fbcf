//! An audit webhook backend: takes what the API server sends and writes the log it would have written.
//!
//! ```text
//!   POST EventList                          lines                    audit.log, one sync
//!   http ─────────► guard ────► list ─────────────► writer ────────► store ──────► rotate
//!   limits          who may     what the log        waits for        new to        names, ages,
//!   answers         send        backend writes      company          recent?       compression
//!     ▲                                                │
//!     └──────────────── 200 only now ──────────────────┘      recover: what the last run left
//! ```
//!
//! The room stands beside the way of bytes from `input` to `render`; it shares with it the parser and
//! the form of an event. Besides `input` it is the only room that opens files, and the only one that
//! makes any. It knows nothing of filters or answers.
//!
//! A batch is answered when all of its events are on the disk, and an event that is there already is
//! not written again. So whatever breaks in between, the API server's sending it again loses nothing
//! and doubles nothing.

mod guard;
mod http;
pub mod kubeconfig;
mod list;
mod notices;
mod recent;
mod recover;
mod rotate;
mod store;
mod writer;

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use tokio::signal::unix::{SignalKind, signal};

pub use guard::TlsFiles;
pub use rotate::Rotation;
pub use store::Totals;

use crate::event::Timestamp;
use crate::exit::Exit;
use crate::render::receive as messages;
use notices::{Kind, Notices, tell};
use rotate::Keeper;
use store::{Setup, Store};
use writer::{Batch, Writer};

/// How the receiver runs.
#[derive(Clone, Debug)]
pub struct ReceiveConfig {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where the log is written.
    pub directory: PathBuf,
    /// What becomes of full files.
    pub rotation: Rotation,
    /// Whether to wait for the disk before a batch is answered.
    pub sync: bool,
    /// The longest body, in bytes.
    pub max_body: usize,
    /// TLS, where it is wanted.
    pub tls: Option<TlsFiles>,
    /// The file with the bearer token, where one is wanted.
    pub token_file: Option<PathBuf>,
    /// The clock, for the names of rotated files.
    pub now: fn() -> Timestamp,
}

/// Batches that wait for the writer; memory is bounded by the room for bodies, not by this.
const QUEUE: usize = 1024;

/// Threads that serve connections: one can cut a body into lines while the other answers.
const WORKERS: usize = 2;

/// Receives until told to stop.
pub fn receive(config: &ReceiveConfig) -> Exit {
    match run(config) {
        Ok(exit) => exit,
        Err(message) => {
            tell(&message);
            Exit::Usage
        }
    }
}

fn run(config: &ReceiveConfig) -> Result<Exit, String> {
    let refuse = |error: String| messages::cannot_start(&error);
    let tls = config.tls.as_ref().map(guard::acceptor).transpose().map_err(refuse)?;
    let token = config.token_file.as_deref().map(guard::Token::read).transpose().map_err(refuse)?;
    let listener = TcpListener::bind(config.listen)
        .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
        .map_err(|error| messages::cannot_listen(config.listen, &error))?;
    let found =
        recover::take_over(&config.directory).map_err(|error| messages::cannot_write(&config.directory, &error))?;
    if found.torn > 0 {
        tell(&messages::torn(&config.directory.join(rotate::LIVE), found.torn));
    }
    for (path, error) in &found.unread {
        tell(&messages::not_remembered(path, error));
    }
    let notices = Arc::new(Notices::default());
    let (queue, batches) = tokio::sync::mpsc::channel(QUEUE);
    let (writer, _lock) = start_writer(config, found, &notices, batches);
    let receiver = http::Receiver {
        tls,
        token,
        max_body: config.max_body,
        room: http::Receiver::room(config.max_body),
        queue,
        notices: Arc::clone(&notices),
    };
    let left = serve(config, listener, receiver).map_err(|error| messages::cannot_start(&error.to_string()))?;
    let (totals, end) = writer.join().map_err(|_| messages::cannot_start("the writer failed"))?;
    tell(&messages::stopped(&totals, notices.count(Kind::Body) + notices.count(Kind::Denied), left));
    if let Err(error) = end {
        tell(&messages::write_failed(&error, 1));
        return Ok(Exit::Usage);
    }
    Ok(Exit::Complete)
}

type Written = JoinHandle<(Totals, std::io::Result<()>)>;

/// Starts the thread that writes and the one that looks after rotated files.
fn start_writer(
    config: &ReceiveConfig,
    found: recover::Found,
    notices: &Arc<Notices>,
    batches: tokio::sync::mpsc::Receiver<Batch>,
) -> (Written, std::fs::File) {
    let (rotations, rotated) = mpsc::channel();
    let keeper = Keeper { directory: config.directory.clone(), rotation: config.rotation, now: config.now };
    let complaints = Arc::clone(notices);
    // Nobody waits for this thread in the end: what it leaves half done, the next run does over.
    thread::spawn(move || {
        keeper.run(&rotated, &|path, error| {
            complaints.say(Kind::Rotation, |times| messages::not_kept(path, error, times));
        });
    });
    let recover::Found { live, length, newest, recent, lock, .. } = found;
    let store = Store::new(Setup {
        directory: config.directory.clone(),
        live,
        length,
        newest,
        recent,
        rotation: config.rotation,
        sync: config.sync,
        now: config.now,
    });
    let group = Writer::group(config.rotation.max_size);
    let writer = Writer { store, group, notices: Arc::clone(notices), rotations };
    (thread::spawn(move || writer.run(batches)), lock)
}

/// Serves until a signal comes. Gives the connections that had to be cut off.
fn serve(config: &ReceiveConfig, listener: TcpListener, receiver: http::Receiver) -> std::io::Result<usize> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .max_blocking_threads(WORKERS)
        .enable_io()
        .enable_time()
        .build()?;
    runtime.block_on(async {
        let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let address = listener.local_addr()?;
        tell(&messages::listening(address, receiver.tls.is_some(), &config.directory.join(rotate::LIVE)));
        let stop = async {
            tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
        };
        Ok(http::serve(listener, Arc::new(receiver), stop).await)
    })
}
