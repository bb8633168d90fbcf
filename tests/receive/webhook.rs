//! A running receiver, and an imitation of what the API server does.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Far more than anything here takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What the log backend writes before the members that an item of a list has.
pub(crate) const HEAD: &str = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","#;

/// A running receiver; it is killed when the test is done with it.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    said: Receiver<String>,
    /// What it said before it listened.
    pub(crate) before: Vec<String>,
}

impl Server {
    /// Starts `auditq receive` and waits until it listens.
    pub(crate) fn start(directory: &Path, flags: &[&str]) -> Server {
        let mut command = Command::new(env!("CARGO_BIN_EXE_auditq"));
        Server::run(command.args(arguments(directory, flags)))
    }

    /// As [`Server::start`], for a command that ends up being auditq.
    pub(crate) fn run(command: &mut Command) -> Server {
        let mut child =
            command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the binary under test runs");
        let (sender, said) = channel();
        let stderr = child.stderr.take().expect("stderr is piped");
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let mut server = Server { child, address: ([0; 4], 0).into(), said, before: Vec::new() };
        while server.address.port() == 0 {
            let line = server.said.recv_timeout(PATIENCE).expect("it says that it listens");
            match line.strip_prefix("auditq: listening on ") {
                Some(rest) => {
                    let url = rest.split(',').next().expect("an address");
                    server.address = url.rsplit("//").next().expect("an address").parse().expect("an address");
                }
                None => server.before.push(line),
            }
        }
        server
    }

    /// Sends SIGTERM.
    pub(crate) fn terminate(&self) {
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().expect("kill runs");
        assert!(sent.success());
    }

    /// Waits for the end; gives the exit status and what was said since it listened.
    pub(crate) fn wait(mut self) -> (Option<i32>, Vec<String>) {
        let status = self.child.wait().expect("the receiver ends");
        (status.code(), self.said.iter().collect())
    }

    /// Stops it as systemd would, and gives what it said.
    pub(crate) fn stop(self) -> Vec<String> {
        self.terminate();
        let (code, said) = self.wait();
        assert_eq!(code, Some(0), "{said:?}");
        said
    }

    /// Ends it with SIGKILL, in the middle of whatever it does.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The arguments of a receiver on a free port of the loopback address.
pub(crate) fn arguments<'a>(directory: &'a Path, flags: &[&'a str]) -> Vec<&'a str> {
    let directory = directory.to_str().expect("a path in UTF-8");
    [&["receive", "--listen", "127.0.0.1:0", "--out", directory], flags].concat()
}

/// One connection, kept from request to request.
pub(crate) struct Client<S> {
    stream: BufReader<S>,
}

impl Client<TcpStream> {
    pub(crate) fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Client::over(stream))
    }
}

impl<S: Read + Write> Client<S> {
    pub(crate) fn over(stream: S) -> Self {
        Client { stream: BufReader::new(stream) }
    }

    /// Posts a list as the API server does; gives the status and the text of the answer.
    pub(crate) fn post(&mut self, body: &[u8]) -> io::Result<(u16, String)> {
        self.post_with(body, "Content-Type: application/json\r\n")
    }

    /// Posts with these header lines.
    pub(crate) fn post_with(&mut self, body: &[u8], headers: &str) -> io::Result<(u16, String)> {
        self.send(&head(headers, body.len()))?;
        self.send(body)?;
        self.answer()
    }

    /// Sends bytes as they are.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)?;
        self.stream.get_mut().flush()
    }

    /// Reads one answer: the status and the text.
    pub(crate) fn answer(&mut self) -> io::Result<(u16, String)> {
        let broken = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(broken)?;
        let mut length = 0;
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            if line.trim_end().is_empty() {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().map_err(|_| broken())?;
            }
        }
        let mut text = vec![0; length];
        self.stream.read_exact(&mut text)?;
        Ok((status, String::from_utf8_lossy(&text).into_owned()))
    }
}

/// The head of a request as Go's client writes it.
pub(crate) fn head(headers: &str, length: usize) -> Vec<u8> {
    format!(
        "POST /?timeout=30s HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: Go-http-client/1.1\r\nContent-Length: {length}\r\n\
         Accept: application/json, */*\r\n{headers}Accept-Encoding: gzip\r\n\r\n"
    )
    .into_bytes()
}

/// Posts over a new connection, and expects this status.
pub(crate) fn post(server: &Server, body: &[u8], status: u16) {
    let (code, text) = Client::connect(server.address).and_then(|mut client| client.post(body)).expect("an answer");
    assert_eq!(code, status, "{text}");
}

/// An event as the log backend writes it, without a line feed.
pub(crate) fn event(number: usize) -> String {
    let padding = "x".repeat(number % 700);
    format!(
        "{HEAD}\"level\":\"Metadata\",\"auditID\":\"id-{number}\",\"stage\":\"ResponseComplete\",\"requestURI\":\"/api/v1/pods?a=1\\u0026b={padding}\",\
         \"verb\":\"list\",\"user\":{{\"username\":\"alice\"}},\"sourceIPs\":[\"10.0.0.1\"],\"responseStatus\":{{\"metadata\":{{}},\"code\":200}},\
         \"requestReceivedTimestamp\":\"2026-03-09T08:00:00.{:06}Z\",\"stageTimestamp\":\"2026-03-09T08:00:01.{:06}Z\"}}",
        number % 1_000_000,
        number % 1_000_000
    )
}

/// A list of events as the API server posts it.
pub(crate) fn list<T: AsRef<str>>(events: &[T]) -> Vec<u8> {
    let items: Vec<String> = events
        .iter()
        .map(|event| format!("{{{}", event.as_ref().strip_prefix(HEAD).expect("an event of the log backend")))
        .collect();
    let items = items.join(",");
    format!("{{\"kind\":\"EventList\",\"apiVersion\":\"audit.k8s.io/v1\",\"metadata\":{{}},\"items\":[{items}]}}\n")
        .into_bytes()
}

/// The files of a log, oldest first.
pub(crate) fn files(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(directory)
        .expect("a directory")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| !path.file_name().expect("a name").to_string_lossy().starts_with('.'))
        .collect();
    files.sort();
    files
}

/// Every line of a log, of all its files.
pub(crate) fn log(directory: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    for path in files(directory) {
        // A kill between compressing a file and deleting it leaves both; auditq reads one of them, too.
        if path.extension().is_some_and(|extension| extension == "gz") && path.with_extension("").exists() {
            continue;
        }
        let bytes = std::fs::read(&path).expect("a file");
        let mut text = String::new();
        if path.extension().is_some_and(|extension| extension == "gz") {
            flate2::read::MultiGzDecoder::new(bytes.as_slice()).read_to_string(&mut text).expect("a sound file");
        } else {
            text = String::from_utf8(bytes).expect("text");
        }
        assert!(text.is_empty() || text.ends_with('\n'), "{} ends within a line", path.display());
        lines.extend(text.lines().map(str::to_owned));
    }
    lines
}
