//! Events in the API server's own field order and spelling, read without looking for anything.
//!
//! The server writes every `audit.k8s.io/v1` event as one compact line with its fields in the order
//! of the Go type. This reader expects exactly that: literal text, a value, literal text. Whatever
//! it meets that it does not expect, it gives up and [`object`](super::object) reads the line instead, so it
//! can be fast without ever deciding anything alone: where it answers, the general reader would
//! give the same event.
//!
//! What it accepts it has proved: strings are closed, nested values are sound JSON, every field
//! comes at most once and the object ends with the line.

mod cursor;

use bumpalo::Bump;

use super::object::derive_object;
use super::outline::Room;
use super::simd::{self, Isa, Job, Level};
use crate::event::{Event, Format, ObjectReference, ResponseStatus, Stage, Text, Timestamp, User};
use cursor::Cursor;

/// How such a line begins.
pub(super) const HEAD: &[u8; 56] = b"{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\",\"level\":\"";

/// Reads canonical events, one after the other.
pub struct Canonical {
    level: Level,
    memory: Memory,
}

/// What is kept from one event to the next.
struct Memory {
    /// The time read last, and its text: most times are within the same second.
    clock: ([u8; 27], Timestamp),
    /// For bodies.
    room: Room,
}

impl Default for Canonical {
    fn default() -> Self {
        Self::at(Level::best())
    }
}

impl Canonical {
    fn at(level: Level) -> Self {
        let clock = (*b"1970-01-01T00:00:00.000000Z", Timestamp(0));
        Canonical { level, memory: Memory { clock, room: Room::default() } }
    }

    /// The name of the user of the event in `text[start..end]`, as far as the server's own order goes.
    /// What stands behind the name is not looked at.
    pub fn user<'a>(&self, text: &'a [u8], start: usize, end: usize) -> Option<Text<'a>> {
        if !text[start..end].starts_with(HEAD) {
            return None;
        }
        simd::at(self.level, UserOf { text, start, end })
    }

    /// Reads the event that begins at `start` into `event`, which must be empty, and tells where it
    /// ends; `None` if it is written in any other way, goes on behind `end`, or holds a line feed, and
    /// then `event` is worth nothing. (An event is large: returning it would copy it twice.)
    #[inline]
    pub fn read<'a>(
        &mut self,
        text: &'a [u8],
        start: usize,
        end: usize,
        arena: &'a Bump,
        event: &mut Event<'a>,
    ) -> Option<usize> {
        if !text[start..end].starts_with(HEAD) {
            return None;
        }
        simd::at(self.level, Reading { text, start, end, arena, event, memory: &mut self.memory })
    }
}

/// An event whose user's name is wanted.
struct UserOf<'a> {
    text: &'a [u8],
    start: usize,
    end: usize,
}

impl<'a> Job for UserOf<'a> {
    type Output = Option<Text<'a>>;

    #[inline(always)]
    fn run<I: Isa>(self) -> Self::Output {
        let mut event = Event::empty(&[], Format::V1);
        let mut cursor = Cursor::<I>::behind_head(self.text, self.start, self.end);
        cursor.head(&mut event)?;
        cursor.expect(b"\"username\":\"")?;
        cursor.text()
    }
}

/// A line to be read.
struct Reading<'a, 'e> {
    text: &'a [u8],
    start: usize,
    end: usize,
    arena: &'a Bump,
    event: &'e mut Event<'a>,
    memory: &'e mut Memory,
}

impl Job for Reading<'_, '_> {
    type Output = Option<usize>;

    #[inline(always)]
    fn run<I: Isa>(self) -> Option<usize> {
        let cursor = Cursor::<I>::behind_head(self.text, self.start, self.end);
        let end = cursor.whole(self.arena, self.event, self.memory)?;
        self.event.raw = self.text.get(self.start..end)?;
        Some(end)
    }
}

impl<'a, I: Isa> Cursor<'a, I> {
    #[inline(always)]
    fn whole(mut self, arena: &'a Bump, event: &mut Event<'a>, memory: &mut Memory) -> Option<usize> {
        event.format = Format::V1;
        self.head(event)?;
        self.user(&mut event.user)?;
        self.middle(event, &mut memory.room)?;
        self.tail(event, memory)?;
        if event.object_ref.is_none() {
            derive_object(event, arena);
        }
        (self.at <= self.limit).then_some(self.at)
    }

    /// Takes the rest of a stage whose opening quote is behind us.
    #[inline(always)]
    fn stage(&mut self) -> Option<Stage<'a>> {
        if self.skip(b"ResponseComplete\"") {
            return Some(Stage::ResponseComplete);
        }
        if self.skip(b"RequestReceived\"") {
            return Some(Stage::RequestReceived);
        }
        Some(Stage::from_text(self.text()?))
    }

    /// From the level to the user, whose opening brace is taken.
    #[inline(always)]
    fn head(&mut self, event: &mut Event<'a>) -> Option<()> {
        event.level = Some(self.text()?);
        self.expect(b",\"auditID\":\"")?;
        event.audit_id = Some(self.text()?);
        self.expect(b",\"stage\":\"")?;
        event.stage = self.stage()?;
        self.expect(b",\"requestURI\":\"")?;
        event.request_uri = Some(self.text()?);
        self.expect(b",\"verb\":\"")?;
        event.verb = Some(self.text()?);
        self.expect(b",\"user\":{")
    }

    /// From the impersonated user to the response status.
    #[inline(always)]
    fn middle(&mut self, event: &mut Event<'a>, room: &mut Room) -> Option<()> {
        if self.skip(b",\"impersonatedUser\":{") {
            self.user(event.impersonated_user.insert(User::default()))?;
        }
        if self.skip(b",\"authenticationMetadata\":") {
            event.authentication_metadata = self.present(room)?;
        }
        if self.skip(b",\"sourceIPs\":[") {
            event.source_ips = Some(self.strings()?);
        }
        if self.skip(b",\"userAgent\":\"") {
            event.user_agent = Some(self.text()?);
        }
        if self.skip(b",\"objectRef\":{") {
            self.object_ref(event.object_ref.insert(ObjectReference::default()))?;
        }
        if self.skip(b",\"responseStatus\":{\"metadata\":{}") {
            self.response_status(event.response_status.insert(ResponseStatus::default()), room)?;
        }
        Some(())
    }

    /// From the bodies to the end.
    #[inline(always)]
    fn tail(&mut self, event: &mut Event<'a>, memory: &mut Memory) -> Option<()> {
        let Memory { clock, room } = memory;
        if self.skip(b",\"requestObject\":") {
            event.request_object = self.present(room)?;
        }
        if self.skip(b",\"responseObject\":") {
            event.response_object = self.present(room)?;
        }
        self.expect(b",\"requestReceivedTimestamp\":\"")?;
        let received = self.time()?;
        self.expect(b",\"stageTimestamp\":\"")?;
        // A request is received and answered within one second, mostly.
        let stage = self.time()?;
        let received_at = clock.1.parse_near(&clock.0, received)?;
        *clock = (*received, received_at);
        event.request_received = Some(received_at);
        event.stage_timestamp = Some(received_at.parse_near(received, stage)?);
        event.exact_times = true;
        if self.skip(b",\"annotations\":{") {
            event.annotations = Some(self.string_map()?);
        }
        self.expect(b"}")
    }

    /// `username`, `uid`, `groups`, `extra`, each at most once; the opening brace is behind us.
    #[inline(always)]
    fn user(&mut self, user: &mut User<'a>) -> Option<()> {
        let first = self.at;
        if self.member(first, b"\"username\":\"") {
            user.username = Some(self.text()?);
        }
        if self.member(first, b"\"uid\":\"") {
            user.uid = self.filled()?;
        }
        if self.member(first, b"\"groups\":[") {
            user.groups = Some(self.strings()?);
        }
        if self.member(first, b"\"extra\":{") {
            user.extra = Some(self.lists_map()?);
        }
        self.expect(b"}")
    }

    #[inline(always)]
    fn object_ref(&mut self, object: &mut ObjectReference<'a>) -> Option<()> {
        let first = self.at;
        if self.member(first, b"\"resource\":\"") {
            object.resource = self.filled()?;
        }
        if self.member(first, b"\"namespace\":\"") {
            object.namespace = self.filled()?;
        }
        if self.member(first, b"\"name\":\"") {
            object.name = self.filled()?;
        }
        if self.member(first, b"\"uid\":\"") {
            object.uid = self.filled()?;
        }
        if self.member(first, b"\"apiGroup\":\"") {
            object.api_group = self.filled()?;
        }
        if self.member(first, b"\"apiVersion\":\"") {
            object.api_version = self.filled()?;
        }
        // v1alpha1's way of writing the group; rare enough to leave to the general reader.
        if object.api_version.is_some_and(|version| version.raw().contains(&b'/')) {
            return None;
        }
        if self.member(first, b"\"resourceVersion\":\"") {
            object.resource_version = self.filled()?;
        }
        if self.member(first, b"\"subresource\":\"") {
            object.subresource = self.filled()?;
        }
        self.expect(b"}")
    }

    #[inline(always)]
    fn response_status(&mut self, status: &mut ResponseStatus<'a>, room: &mut Room) -> Option<()> {
        if self.skip(b",\"status\":\"") {
            status.status = self.filled()?;
        }
        if self.skip(b",\"message\":\"") {
            status.message = self.filled()?;
        }
        if self.skip(b",\"reason\":\"") {
            status.reason = self.filled()?;
        }
        if self.skip(b",\"details\":") {
            status.details = self.present(room)?;
        }
        if self.skip(b",\"code\":") {
            let digits: &[u8; 3] = self.text.get(self.at..)?.first_chunk()?;
            let value =
                digits.iter().try_fold(0i32, |sum, b| b.is_ascii_digit().then(|| sum * 10 + i32::from(b - b'0')));
            // A leading zero is no number in JSON.
            status.code = value.filter(|&code| code >= 100);
            status.code?;
            self.at += 3;
        }
        self.expect(b"}")
    }

    /// A time of the server's 27 characters, not read yet, and its closing quote.
    #[inline(always)]
    fn time(&mut self) -> Option<&'a [u8; 27]> {
        let text = self.text.get(self.at..)?.first_chunk()?;
        self.at += 27;
        self.expect(b"\"")?;
        Some(text)
    }
}

#[cfg(test)]
mod tests;
