//! `webhook` sends audit events to `auditq receive` as an API server does, and tells how many were taken.

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::{Duration, Instant};

const USAGE: &str = "\
usage: webhook --address HOST:PORT [--connections N] [--events N] [--seconds N]

  --connections   lists under way at a time (default 1)
  --events        events in a list: 400 is batch mode, 1 blocking mode (default 400)
  --seconds       how long (default 10)
";

struct Load {
    address: String,
    connections: usize,
    events: usize,
    length: Duration,
}

fn main() -> ExitCode {
    match read(std::env::args().skip(1)).and_then(|load| run(&load).map_err(|error| error.to_string())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("webhook: {error}");
            ExitCode::from(2)
        }
    }
}

fn read(mut arguments: impl Iterator<Item = String>) -> Result<Load, String> {
    let mut load = Load { address: String::new(), connections: 1, events: 400, length: Duration::from_secs(10) };
    while let Some(flag) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{flag} needs a value, or is unknown\n{USAGE}"))?;
        let number =
            || value.parse().ok().filter(|&number| number > 0).ok_or_else(|| format!("{flag} {value} is no number"));
        match flag.as_str() {
            "--address" => load.address = value,
            "--connections" => load.connections = number()?,
            "--events" => load.events = number()?,
            "--seconds" => load.length = Duration::from_secs(number()? as u64),
            _ => return Err(format!("{flag} is unknown\n{USAGE}")),
        }
    }
    if load.address.is_empty() { Err(format!("--address is missing\n{USAGE}")) } else { Ok(load) }
}

fn run(load: &Load) -> io::Result<()> {
    let start = Instant::now();
    let sent: Vec<(usize, usize)> = std::thread::scope(|scope| {
        let workers: Vec<_> =
            (0..load.connections).map(|connection| scope.spawn(move || send(load, connection, start))).collect();
        workers.into_iter().map(|worker| worker.join().expect("a worker does not panic")).collect::<io::Result<_>>()
    })?;
    let seconds = start.elapsed().as_secs_f64();
    let (lists, bytes) = sent.iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    println!(
        "{:.0} events/s, {:.0} lists/s, {:.1} MB/s over {} connections",
        (lists * load.events) as f64 / seconds,
        lists as f64 / seconds,
        bytes as f64 / seconds / 1e6,
        load.connections
    );
    Ok(())
}

/// Sends lists over one connection until time is up; gives how many, and their bytes.
fn send(load: &Load, connection: usize, start: Instant) -> io::Result<(usize, usize)> {
    let mut stream = BufReader::new(TcpStream::connect(&load.address)?);
    stream.get_ref().set_nodelay(true)?;
    let (mut lists, mut bytes) = (0, 0);
    while start.elapsed() < load.length {
        let body = list(load.events, connection, lists * load.events);
        let head = format!(
            "POST /?timeout=30s HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.get_mut().write_all((head + &body).as_bytes())?;
        taken(&mut stream)?;
        lists += 1;
        bytes += body.len();
    }
    Ok((lists, bytes))
}

/// Reads an answer, which must be 200.
fn taken(stream: &mut BufReader<TcpStream>) -> io::Result<()> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    if !line.starts_with("HTTP/1.1 200") {
        return Err(io::Error::other(format!("not taken: {line:?}")));
    }
    let mut length = 0;
    while line.trim_end() != "" {
        line.clear();
        stream.read_line(&mut line)?;
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
    }
    stream.read_exact(&mut vec![0; length])
}

/// A list of events of about 950 bytes each, the median of a server's own; no two are the same.
fn list(events: usize, connection: usize, first: usize) -> String {
    let mut body = String::from(r#"{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":["#);
    let padding = "x".repeat(560);
    for number in first..first + events {
        let comma = if number == first { "" } else { "," };
        write!(
            body,
            "{comma}{{\"level\":\"Metadata\",\"auditID\":\"{connection}-{number}\",\"stage\":\"ResponseComplete\",\"requestURI\":\"/api/v1/pods?{padding}\",\
             \"verb\":\"list\",\"user\":{{\"username\":\"alice\"}},\"sourceIPs\":[\"10.0.0.1\"],\"responseStatus\":{{\"metadata\":{{}},\"code\":200}},\
             \"requestReceivedTimestamp\":\"2026-03-09T08:00:00.000000Z\",\"stageTimestamp\":\"2026-03-09T08:00:01.000000Z\"}}"
        )
        .expect("a text takes whatever is written");
    }
    body + "]}\n"
}
