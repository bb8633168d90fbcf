//! Who was inside: exec, attach, port-forward, debug containers, and what was reached through the API server.
//!
//! One session is one request. What its pod may do to the node is known from the pod's creation, wherever in
//! the log that stands, so creations are noted too (`pod`), as little of them as can be. Whatever filters say,
//! they choose sessions, not creations.

mod pod;
mod target;

pub use pod::{HostAccess, Known};
pub use target::{Kind, Target};

use super::notes::Notes;
use super::requests::settles;
use super::{Amendment, Position, Question, Seen, Slot};
use crate::event::{Copy, Event, Stage, Text, Timestamp, Uri, is_shell};
use crate::query::Filter;
use pod::Change;

/// The question: which sessions were there.
pub struct Sessions {
    /// Which of them matter.
    pub filter: Filter,
}

/// A session, as its request tells it. What is not known is empty.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Session {
    /// What kind it is.
    pub kind: Kind,
    /// What it reaches.
    pub target: Target,
    /// When the request arrived.
    pub start: Option<Timestamp>,
    /// When it ended; none if the end is not in the log.
    pub end: Option<Timestamp>,
    /// How far it got.
    pub state: State,
    /// The authenticated user.
    pub user: String,
    /// The user it was made as.
    pub impersonated: Option<String>,
    /// The status code.
    pub code: Option<i32>,
    /// The reason of a failure.
    pub reason: String,
    /// The verb, which is what RBAC decides on: `get` for WebSockets, `create` for SPDY.
    pub verb: String,
    /// Whether a terminal was asked for.
    pub tty: bool,
    /// Whether input was sent.
    pub stdin: bool,
    /// Whether the command is a shell, so that what was done in it is not in the log.
    pub shell: bool,
    /// What was copied, if this is `kubectl cp`.
    pub copy: Option<Copy>,
    /// The addresses it came from, as recorded.
    pub source_ips: Vec<String>,
    /// What the client calls itself.
    pub user_agent: String,
    /// The audit id.
    pub audit_id: String,
    /// What its pod may do to its node; none if there is no pod.
    pub access: Option<Known>,
    /// The pod's key.
    pod: Option<u64>,
}

/// How far a session got.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// It has ended, or was refused.
    Ended,
    /// It began, and its end is not in the log.
    Open,
    /// It was answered, and the record does not tell at which stage, so that it may be open.
    Answered,
    /// It was asked for, and the answer is not in the log.
    Asked,
}

/// Sessions and creations of pods: a partial answer.
#[derive(Clone, Default)]
pub struct SessionsPartial {
    sessions: Notes<Session>,
    changes: Vec<Change>,
}

impl Question for Sessions {
    type Partial = SessionsPartial;

    const IN_ORDER: bool = false;

    fn empty(&self) -> SessionsPartial {
        SessionsPartial::default()
    }

    fn observe(&self, partial: &mut SessionsPartial, seen: &Seen<'_, '_>) -> Slot {
        partial.changes.extend(Change::of(seen.event));
        match target::kind(seen.event) {
            Some(kind) if seen.matches(&self.filter) => match Session::of(seen.event, kind) {
                Some(session) => partial.sessions.push(seen.position, session),
                None => Slot::NONE,
            },
            _ => Slot::NONE,
        }
    }

    fn amend(&self, _: &mut SessionsPartial, _: Slot, _: Amendment) {}

    /// A creation that repeats another one says nothing new, so it may stay.
    fn retract(&self, partial: &mut SessionsPartial, slot: Slot) {
        partial.sessions.drop(slot);
    }

    fn merge(&self, into: &mut SessionsPartial, from: SessionsPartial) {
        into.sessions.merge(from.sessions);
        into.changes.extend(from.changes);
    }
}

impl SessionsPartial {
    /// The sessions in the order they began, with what is known of their pods.
    pub fn finish(mut self) -> Vec<Session> {
        self.changes.sort_unstable();
        let mut sessions: Vec<(Position, Session)> = self.sessions.finish();
        // Those without a time come last.
        sessions.sort_by_key(|(position, session)| (session.start.is_none(), session.start, *position));
        let joined = sessions.into_iter().map(|(_, mut session)| {
            session.access = session.pod.map(|pod| pod::known(&self.changes, pod, session.start));
            session
        });
        joined.collect()
    }
}

impl Session {
    fn of(event: &Event<'_>, kind: Kind) -> Option<Self> {
        let object = event.object_ref?;
        let uri = event.request_uri.map(Uri::parse).unwrap_or_default();
        let target = target::target(event, kind, &object, &uri);
        let pod = (!target.pod.is_empty()).then(|| pod::key(target.namespace.as_bytes(), target.pod.as_bytes()));
        let (state, status) = (state(event), event.response_status);
        let streams = matches!(kind, Kind::Exec | Kind::Attach) || !target.pod.is_empty() && kind == Kind::NodeProxy;
        let on = |names: [&str; 2]| streams && names.iter().any(|name| uri.is_on(name));
        let runs = kind != Kind::Debug;
        Some(Session {
            kind,
            start: event.start(),
            end: event.time().filter(|_| state == State::Ended),
            state,
            user: owned(event.user.username),
            impersonated: event.impersonated_user.map(|user| owned(user.username)).filter(|name| !name.is_empty()),
            code: event.code(),
            reason: owned(status.and_then(|status| status.reason)),
            verb: owned(event.verb),
            tty: on(["tty", "tty"]),
            // The kubelet's own name for it comes second.
            stdin: on(["stdin", "input"]),
            shell: runs && is_shell(&target.command),
            copy: Copy::of(&target.command).filter(|_| runs),
            source_ips: event
                .source_ips
                .map(|ips| ips.elements().filter_map(|ip| ip.as_text()).map(|ip| owned(Some(ip))).collect())
                .unwrap_or_default(),
            user_agent: owned(event.user_agent),
            audit_id: owned(event.audit_id),
            access: None,
            pod,
            target,
        })
    }

    /// How long it lasted.
    pub fn duration_ns(&self) -> Option<i64> {
        let taken = self.end?.0.checked_sub(self.start?.0)?;
        (taken >= 0).then_some(taken)
    }

    /// The protocol of its streams, as far as the verb tells.
    pub fn protocol(&self) -> Option<&'static str> {
        match (self.kind, self.verb.as_str()) {
            (Kind::Exec | Kind::Attach | Kind::PortForward, "create") => Some("SPDY"),
            (Kind::Exec | Kind::Attach | Kind::PortForward, "get") => Some("WebSocket"),
            _ => None,
        }
    }

    /// Whether it was refused or failed.
    pub fn failed(&self) -> bool {
        self.code.is_some_and(|code| code >= 400)
    }
}

/// How far the stage at hand is. What was refused is over, even where its last stage is missing.
fn state(event: &Event<'_>) -> State {
    let refused = event.code().is_some_and(|code| code >= 400);
    match event.stage {
        _ if refused || settles(event) => State::Ended,
        Stage::ResponseStarted => State::Open,
        // Text formats have no stages to tell by.
        _ if event.format.is_legacy() && event.code().is_some() => State::Ended,
        Stage::Other(_) if event.code().is_some() => State::Answered,
        _ => State::Asked,
    }
}

fn owned(text: Option<Text<'_>>) -> String {
    text.map(|text| text.to_str_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Format, ResponseStatus};

    #[test]
    fn a_session_is_open_until_it_ends_or_is_refused() {
        let state_of = |stage, code| {
            let mut event = Event::empty(b"", Format::V1);
            event.verb = Some("watch".into());
            event.stage = stage;
            event.response_status = Some(ResponseStatus { code, ..ResponseStatus::default() });
            state(&event)
        };
        assert_eq!(state_of(Stage::ResponseStarted, Some(101)), State::Open);
        assert_eq!(state_of(Stage::ResponseStarted, Some(403)), State::Ended);
        assert_eq!(state_of(Stage::ResponseComplete, Some(101)), State::Ended);
        assert_eq!(state_of(Stage::Panic, Some(500)), State::Ended);
        assert_eq!(state_of(Stage::RequestReceived, None), State::Asked);
        assert_eq!(state_of(Stage::Other("".into()), Some(101)), State::Answered);
        assert_eq!(state_of(Stage::Other("".into()), None), State::Asked);
    }
}
