//! HTTP: takes connections and bodies within limits, and answers when the writer has.
//!
//! | answer | when |
//! | --- | --- |
//! | 200 | every event of the body is on the disk, now or since before |
//! | 400, 413, 415 | the body is no list, too long, or no JSON |
//! | 401 | the token is missing or wrong |
//! | 405 | neither `POST` nor `GET /healthz` |
//! | 408 | the body took too long |
//! | 503, 507 | too much at once, or the events could not be written; 507 if the disk is full |

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{
    ALLOW, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER,
    WWW_AUTHENTICATE,
};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::Notices;
use super::guard::Token;
use super::list::{self, Lines};
use super::notices::Kind;
use super::writer::{Batch, Failure};
use crate::render::receive as messages;

/// Connections at a time. The API server opens one for each batch or event under way.
const CONNECTIONS: usize = 512;

/// A handshake takes no longer.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How long a connection may wait for its next request. Longer than Go's client keeps an idle
/// connection (90 s), so that it is not we who close one just as a batch is sent over it.
const IDLE: Duration = Duration::from_secs(120);

/// The API server gives up after 30 s in all, so a body that takes longer is read for nobody.
const BODY: Duration = Duration::from_secs(30);

/// How long a request waits for memory that others have.
const ROOM: Duration = Duration::from_secs(10);

/// How long requests under way may take to end when the receiver stops.
const GRACE: Duration = Duration::from_secs(10);

/// Longer bodies are cut into lines beside the threads that serve connections.
const LARGE: usize = 1 << 18;

/// With this the API server asks again within its 30 s, before it counts an attempt as failed.
const RETRY_SECONDS: &str = "2";

/// What all connections share.
pub(super) struct Receiver {
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) token: Option<Token>,
    pub(super) max_body: usize,
    /// Memory for bodies, in KiB.
    pub(super) room: Arc<Semaphore>,
    pub(super) queue: mpsc::Sender<Batch>,
    pub(super) notices: Arc<Notices>,
}

impl Receiver {
    /// Room for bodies: a body of the greatest length takes all of it.
    pub(super) fn room(max_body: usize) -> Arc<Semaphore> {
        Arc::new(Semaphore::new(charge(max_body) as usize))
    }
}

/// What a body of this length takes, in KiB: the lines made of it, half as long again at most, and
/// what they are known by are there together with it.
fn charge(length: usize) -> u32 {
    u32::try_from(length.div_ceil(1024).saturating_mul(3)).unwrap_or(u32::MAX)
}

/// Serves until told to stop, then lets what is under way end. Gives the connections that
/// had not ended by then.
pub(super) async fn serve(listener: TcpListener, receiver: Arc<Receiver>, stop: impl Future<Output = ()>) -> usize {
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    let graceful = GracefulShutdown::new();
    tokio::pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = accept(&listener, &slots) => accepted,
        };
        match accepted {
            Ok((slot, stream, peer)) => {
                let (receiver, watcher) = (Arc::clone(&receiver), graceful.watcher());
                tokio::spawn(connection(stream, peer, receiver, watcher, slot));
            }
            Err(error) => {
                receiver.notices.say(Kind::Accept, |times| messages::accept_failed(&error, times));
                // Out of file handles, most likely: give connections time to end.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop((listener, receiver));
    match timeout(GRACE, graceful.shutdown()).await {
        Ok(()) => 0,
        Err(_) => CONNECTIONS - slots.available_permits(),
    }
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> std::io::Result<(OwnedSemaphorePermit, TcpStream, SocketAddr)> {
    let slot = Arc::clone(slots).acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((slot, stream, peer))
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    receiver: Arc<Receiver>,
    watcher: Watcher,
    _slot: OwnedSemaphorePermit,
) {
    // Answers are small, and the API server waits for each.
    let _ = stream.set_nodelay(true);
    let Some(tls) = receiver.tls.clone() else {
        return requests(stream, peer, receiver, watcher).await;
    };
    let failure = match timeout(HANDSHAKE, tls.accept(stream)).await {
        Ok(Ok(stream)) => return requests(stream, peer, receiver, watcher).await,
        Ok(Err(error)) => error.to_string(),
        Err(_) => "took too long".to_owned(),
    };
    receiver.notices.say(Kind::Handshake, |times| messages::handshake_failed(peer, &failure, times));
}

async fn requests(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    peer: SocketAddr,
    receiver: Arc<Receiver>,
    watcher: Watcher,
) {
    let service = service_fn(move |request| {
        let receiver = Arc::clone(&receiver);
        async move { Ok::<_, std::convert::Infallible>(answer(&receiver, peer, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .max_buf_size(1 << 16)
        .serve_connection(TokioIo::new(stream), service);
    // A client that goes away in the middle sends again; there is nothing to say about it.
    let _ = watcher.watch(connection).await;
}

/// An answer other than 200.
struct Problem {
    status: StatusCode,
    header: Option<(HeaderName, &'static str)>,
    text: String,
}

impl Problem {
    fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Problem { status, header: None, text: text.into() }
    }

    fn with(mut self, name: HeaderName, value: &'static str) -> Self {
        self.header = Some((name, value));
        self
    }

    /// Something that may be over soon.
    fn passing(status: StatusCode, text: &'static str) -> Self {
        Problem::new(status, text).with(RETRY_AFTER, RETRY_SECONDS)
    }
}

async fn answer(receiver: &Receiver, peer: SocketAddr, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let result = if request.method() == Method::GET && request.uri().path() == "/healthz" {
        health(receiver)
    } else {
        batch(receiver, peer, request).await.map(|()| "")
    };
    let mut response = Response::new(Full::default());
    match result {
        Ok(text) => *response.body_mut() = Full::from(text),
        Err(problem) => {
            *response.status_mut() = problem.status;
            if let Some((name, value)) = problem.header {
                response.headers_mut().insert(name, HeaderValue::from_static(value));
            }
            *response.body_mut() = Full::from(problem.text + "\n");
        }
    }
    response
}

fn health(receiver: &Receiver) -> Result<&'static str, Problem> {
    if receiver.notices.is_healthy() {
        return Ok("ok\n");
    }
    Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the last batch could not be written"))
}

async fn batch(receiver: &Receiver, peer: SocketAddr, request: Request<Incoming>) -> Result<(), Problem> {
    if request.method() != Method::POST {
        return Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, "POST an EventList").with(ALLOW, "POST"));
    }
    if let Some(token) = &receiver.token
        && !request.headers().get(AUTHORIZATION).is_some_and(|header| token.is_in(header.as_bytes()))
    {
        receiver.notices.say(Kind::Denied, |times| messages::denied(peer, times));
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "wrong token").with(WWW_AUTHENTICATE, "Bearer"));
    }
    is_json(request.headers())?;
    let outcome = keep(receiver, request.into_body()).await;
    if let Err(problem) = &outcome
        && matches!(problem.status, StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE)
    {
        receiver.notices.say(Kind::Body, |times| messages::refused(peer, &problem.text, times));
    }
    outcome
}

/// Only JSON as it is. That the type must be named also keeps web pages from sending events to a
/// receiver on the reader's own machine: a browser asks first before it sends that type.
fn is_json(headers: &HeaderMap) -> Result<(), Problem> {
    let unsupported = |text: &str| Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, text));
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
        return unsupported("the Content-Type must be application/json");
    }
    if headers.get(CONTENT_ENCODING).is_some_and(|value| value != "identity") {
        return unsupported("the body must not be encoded");
    }
    Ok(())
}

/// Reads a body, has it written, and waits until it is.
async fn keep(receiver: &Receiver, body: Incoming) -> Result<(), Problem> {
    let busy = || Problem::passing(StatusCode::SERVICE_UNAVAILABLE, "too much at once");
    let too_long =
        || Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("a body of more than {} bytes", receiver.max_body));
    let announced =
        body.size_hint().upper().map_or(receiver.max_body, |length| usize::try_from(length).unwrap_or(usize::MAX));
    if announced > receiver.max_body {
        return Err(too_long());
    }
    let room = timeout(ROOM, receiver.room.acquire_many(charge(announced))).await;
    let _room = room.map_err(|_| busy())?.map_err(|_| busy())?;
    let read = timeout(BODY, collect(body, announced, receiver.max_body)).await;
    let slow = |_| Problem::new(StatusCode::REQUEST_TIMEOUT, "the body took too long");
    let bytes = read.map_err(slow)??.ok_or_else(too_long)?;
    let lines = cut(bytes).await?;
    let (reply, written) = oneshot::channel();
    receiver.queue.send(Batch { lines, reply }).await.map_err(|_| busy())?;
    match written.await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(Failure::DiskFull)) => Err(Problem::passing(StatusCode::INSUFFICIENT_STORAGE, "the disk is full")),
        Ok(Err(Failure::Other)) | Err(_) => {
            Err(Problem::passing(StatusCode::SERVICE_UNAVAILABLE, "the events could not be written"))
        }
    }
}

/// The whole body; nothing if it is longer than it may be.
async fn collect(mut body: Incoming, announced: usize, most: usize) -> Result<Option<Vec<u8>>, Problem> {
    let exact = body.size_hint().exact().is_some();
    let mut bytes = Vec::with_capacity(if exact { announced } else { 0 });
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|error| Problem::new(StatusCode::REQUEST_TIMEOUT, format!("the body broke off: {error}")))?;
        if let Some(data) = frame.data_ref() {
            if bytes.len() + data.len() > most {
                return Ok(None);
            }
            bytes.extend_from_slice(data);
        }
    }
    Ok(Some(bytes))
}

async fn cut(bytes: Vec<u8>) -> Result<Lines, Problem> {
    let lines = if bytes.len() > LARGE {
        let task = tokio::task::spawn_blocking(move || list::lines(&bytes));
        task.await.map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?
    } else {
        list::lines(&bytes)
    };
    lines.map_err(|refusal| Problem::new(StatusCode::BAD_REQUEST, refusal.to_string()))
}
