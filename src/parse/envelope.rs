//! What a JSON object holds that a collector made around log lines.
//!
//! Collectors wrap lines in ever the same few ways: the line as text under one of some twenty names
//! (`log`, `message`, `_raw` …), objects of that kind in lists (`records`, `logEvents`, `hits` …), and
//! what is known of the source beside them. Nothing here reads the lines: [`parts`] only tells where
//! they are, best guess first, and [`piece`] which objects hold but a piece of a line. Collectors that
//! take the events themselves apart are [`convert`](super::convert)'s business.

use std::io::Read;

use base64::Engine;
use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;

use crate::event::{Origin, RawJson, Text};

/// Members that may hold events or lines, the likeliest first: of those that do, the first counts, because
/// collectors keep the same line under two names.
const HOLDERS: [&[u8]; 43] = [
    b"items",
    b"records",
    b"Records",
    b"events",
    b"logEvents",
    b"results",
    b"hits",
    b"_source",
    b"result",
    b"_raw",
    b"original",
    b"event",
    b"log",
    b"properties",
    b"log_s",
    b"protoPayload",
    b"jsonPayload",
    b"textPayload",
    b"resourceLogs",
    b"scopeLogs",
    b"logRecords",
    b"structured",
    b"log_processed",
    b"json",
    b"parsed",
    b"message",
    b"MESSAGE",
    b"line",
    b"@message",
    b"content",
    b"short_message",
    b"LogJson",
    b"body",
    b"stringValue",
    b"audit",
    b"value",
    b"values",
    b"data",
    b"kubernetes",
    b"kinesis",
    b"awslogs",
    b"entries",
    b"attributes",
];

/// What an object holds, and where it says that comes from.
pub(super) struct Parts<'a> {
    pub(super) origin: Origin<'a>,
    /// The likeliest first.
    pub(super) holders: BumpVec<'a, RawJson<'a>>,
}

/// The members of an object that may hold events.
pub(super) fn parts<'a>(object: RawJson<'a>, arena: &'a Bump) -> Parts<'a> {
    let mut ranked = BumpVec::new_in(arena);
    let mut origin = Origin::NONE;
    for (key, value) in object.members() {
        let name = key.raw();
        if let Some(rank) = HOLDERS.iter().position(|holder| *holder == name)
            && matches!(value.0.first(), Some(b'{' | b'[' | b'"'))
        {
            ranked.push((rank, value));
        }
        note_origin(name, value, &mut origin);
    }
    ranked.sort_by_key(|(rank, _)| *rank);
    let holders = BumpVec::from_iter_in(ranked.into_iter().map(|(_, value)| value), arena);
    Parts { origin, holders }
}

/// Takes what a member says about the source. The first name found for a thing stays.
fn note_origin<'a>(name: &[u8], value: RawJson<'a>, origin: &mut Origin<'a>) {
    match value.0.first() {
        Some(b'"') => note_name(name, value, origin),
        // Labels and the like: one level deeper.
        Some(b'{') if is_description(name) => {
            for (key, value) in value.members() {
                note_name(key.raw(), value, origin);
            }
        }
        // OTLP: a list of {"key": …, "value": {"stringValue": …}}.
        Some(b'[') if name == b"attributes" => note_attributes(value, origin),
        Some(b'{') if name == b"resource" => {
            for (key, value) in value.members().filter(|(key, _)| matches!(key.raw(), b"attributes" | b"labels")) {
                note_origin(key.raw(), value, origin);
            }
        }
        _ => {}
    }
}

fn is_description(name: &[u8]) -> bool {
    matches!(name, b"kubernetes" | b"labels" | b"stream" | b"openshift" | b"host" | b"agent" | b"file" | b"metadata")
}

fn note_attributes<'a>(list: RawJson<'a>, origin: &mut Origin<'a>) {
    for attribute in list.elements() {
        let name = attribute.get(b"key").and_then(RawJson::as_text);
        let value = attribute.get(b"value").and_then(|value| value.get(b"stringValue"));
        if let (Some(name), Some(value)) = (name, value) {
            note_name(name.raw(), value, origin);
        }
    }
}

fn note_name<'a>(name: &[u8], value: RawJson<'a>, origin: &mut Origin<'a>) {
    let Some(text) = value.as_text().filter(|text| !text.is_empty()) else { return };
    let slot = match name {
        b"_HOSTNAME" | b"hostname" | b"host" | b"node_name" | b"nodeName" | b"node" | b"__SOURCE__" | b"__source__"
        | b"k8s.node.name" | b"host.name" => &mut origin.host,
        b"pod" | b"pod_name" | b"podName" | b"PodName" | b"pod_s" | b"k8s.pod.name" => &mut origin.pod,
        b"container" | b"container_name" | b"CONTAINER_NAME" | b"k8s.container.name" => &mut origin.container,
        b"logStream" | b"logStreamName" | b"filename" | b"file" | b"path" | b"__FILENAME__" | b"log.file.path" => {
            &mut origin.stream
        }
        b"resourceId"
        | b"_ResourceId"
        | b"ResourceId"
        | b"cluster"
        | b"cluster_name"
        | b"cluster_id"
        | b"openshift.cluster_id"
        | b"k8s.cluster.name" => &mut origin.cluster,
        b"logGroup" => return note_cluster_of_group(text, origin),
        _ => return,
    };
    slot.get_or_insert(text);
}

/// `/aws/eks/<cluster>/cluster` names the cluster.
fn note_cluster_of_group<'a>(group: Text<'a>, origin: &mut Origin<'a>) {
    let name = group.raw().strip_prefix(b"/aws/eks/").and_then(|rest| rest.split(|&byte| byte == b'/').next());
    if let Some(name) = name.filter(|name| !name.is_empty()) {
        origin.cluster.get_or_insert(Text::json(name, group.is_escaped()));
    }
}

/// What an object is in a log of lines that may come in pieces.
pub(super) enum Line<'a> {
    /// A line, or a piece of one, of a stream of that name.
    Text { stream: &'a [u8], text: &'a [u8], more: bool, origin: Origin<'a> },
    /// journald held the line back, because it was longer than it shows unless asked for all.
    Withheld,
}

/// Takes an object apart that is one entry of docker's or journald's own log.
pub(super) fn line<'a>(object: RawJson<'a>, arena: &'a Bump) -> Option<Line<'a>> {
    docker(object, arena).or_else(|| journal(object, arena))
}

/// docker's json-file: `{"log":"…\n","stream":"stdout","time":"…"}`, and nothing else. A line longer than 16 KiB
/// comes in several, of which only the last ends in a line feed. Source: docker's jsonfilelog.
fn docker<'a>(object: RawJson<'a>, arena: &'a Bump) -> Option<Line<'a>> {
    let (mut log, mut stream, mut time) = (None, None, false);
    for (key, value) in object.members() {
        match key.raw() {
            b"log" => log = value.as_text(),
            b"stream" => stream = value.as_text(),
            b"time" => time = true,
            b"attrs" => {}
            _ => return None,
        }
    }
    let text = decoded(log.filter(|_| time)?, arena);
    let (text, more) = match text.strip_suffix(b"\n") {
        Some(line) => (line, false),
        None => (text, true),
    };
    Some(Line::Text { stream: stream?.raw(), text, more, origin: Origin::NONE })
}

/// journald's JSON. Text that is not clean comes as a list of bytes. Lines that a service writes to its
/// output are cut at 48 KiB, those of docker at 16. Source: systemd.journal-fields, docker's journald driver.
fn journal<'a>(object: RawJson<'a>, arena: &'a Bump) -> Option<Line<'a>> {
    let (mut message, mut realtime, mut stream, mut origin) = (None, false, None, Origin::NONE);
    let (mut partial, mut last) = (false, false);
    for (key, value) in object.members() {
        match key.raw() {
            b"MESSAGE" => message = Some(value),
            b"__REALTIME_TIMESTAMP" | b"_BOOT_ID" => realtime = true,
            b"_LINE_BREAK" => partial |= value.0 == b"\"line-max\"",
            b"CONTAINER_PARTIAL_MESSAGE" => partial |= value.0 == b"\"true\"",
            b"CONTAINER_PARTIAL_LAST" => last = value.0 == b"\"true\"",
            b"_STREAM_ID" | b"CONTAINER_ID_FULL" => stream = value.as_text(),
            b"_PID" => stream = stream.or(value.as_text()),
            name => note_name(name, value, &mut origin),
        }
    }
    let message = message.filter(|_| realtime)?;
    if message.is_null() {
        return Some(Line::Withheld);
    }
    let text = match message.0.first()? {
        b'"' => decoded(message.as_text()?, arena),
        b'[' => bytes(message, arena)?,
        _ => return None,
    };
    let stream = stream.map_or(&b""[..], Text::raw);
    Some(Line::Text { stream, text, more: partial && !last, origin })
}

/// A list of numbers as the bytes they stand for; none if it is a list of something else.
fn bytes<'a>(list: RawJson<'a>, arena: &'a Bump) -> Option<&'a [u8]> {
    let mut bytes = BumpVec::new_in(arena);
    for number in list.elements() {
        bytes.push(std::str::from_utf8(number.0).ok()?.parse().ok()?);
    }
    Some(bytes.into_bump_slice())
}

/// What a subscription hands on to a function or a stream: gzip in base64. None if it is nothing like it.
pub(super) fn unpacked<'a>(text: &[u8], arena: &'a Bump) -> Option<&'a [u8]> {
    // What gzip's first three bytes become.
    if !text.starts_with(b"H4sI") {
        return None;
    }
    let packed = base64::engine::general_purpose::STANDARD.decode(text.trim_ascii()).ok()?;
    let mut unpacked = Vec::new();
    let decoder = flate2::read::MultiGzDecoder::new(packed.as_slice());
    // Logs pack to a tenth, hardly ever to a fiftieth; what unpacks to more is meant to do harm.
    let most = (packed.len() as u64 * MOST_RATIO).max(LEAST_UNPACKED);
    decoder.take(most).read_to_end(&mut unpacked).ok()?;
    Some(arena.alloc_slice_copy(&unpacked))
}

/// A packed member may unpack to so many times its size, and to so many bytes in any case.
const MOST_RATIO: u64 = 100;
const LEAST_UNPACKED: u64 = 64 << 10;

/// The text that a JSON string stands for.
pub(super) fn decoded<'a>(text: Text<'a>, arena: &'a Bump) -> &'a [u8] {
    if !text.is_escaped() {
        return text.raw();
    }
    arena.alloc_slice_copy(&text.decode())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_lines_and_their_pieces() {
        let arena = Bump::new();
        for (json, expected) in [
            (&br#"{"log":"a\n","stream":"stdout","time":"2024-05-01T12:00:00Z"}"#[..], Some((&b"a"[..], false))),
            (br#"{"log":"a","stream":"stdout","time":"2024-05-01T12:00:00Z"}"#, Some((b"a", true))),
            (br#"{"log":"a","stream":"stdout","kubernetes":{},"time":"2024-05-01T12:00:00Z"}"#, None),
            (br#"{"log":1,"stream":"stdout","time":"2024-05-01T12:00:00Z"}"#, None),
            (br#"{"log":"a\n","time":"2024-05-01T12:00:00Z"}"#, None),
        ] {
            let found = line(RawJson(json), &arena).map(|line| match line {
                Line::Text { text, more, .. } => (text, more),
                Line::Withheld => (&b"withheld"[..], false),
            });
            assert_eq!(found, expected, "{}", String::from_utf8_lossy(json));
        }
    }

    #[test]
    fn journal_entries() {
        let arena = Bump::new();
        for (json, expected) in [
            (&br#"{"MESSAGE":"a","__REALTIME_TIMESTAMP":"1"}"#[..], Some((&b"a"[..], false))),
            (br#"{"MESSAGE":[104,255],"__REALTIME_TIMESTAMP":"1"}"#, Some((b"h\xff", false))),
            (br#"{"MESSAGE":"a","_LINE_BREAK":"line-max","_BOOT_ID":"x"}"#, Some((b"a", true))),
            (
                br#"{"CONTAINER_PARTIAL_LAST":"true","CONTAINER_PARTIAL_MESSAGE":"true","MESSAGE":"a","_BOOT_ID":"x"}"#,
                Some((b"a", false)),
            ),
            (br#"{"MESSAGE":null,"__REALTIME_TIMESTAMP":"1"}"#, Some((b"withheld", false))),
            (br#"{"MESSAGE":["a","b"],"__REALTIME_TIMESTAMP":"1"}"#, None),
            (br#"{"MESSAGE":"a"}"#, None),
        ] {
            let found = line(RawJson(json), &arena).map(|line| match line {
                Line::Text { text, more, .. } => (text, more),
                Line::Withheld => (&b"withheld"[..], false),
            });
            assert_eq!(found, expected, "{}", String::from_utf8_lossy(json));
        }
    }

    #[test]
    fn the_likeliest_first_and_where_from() {
        let arena = Bump::new();
        let json = br#"{"message":"m","log":"l","time":1,"kubernetes":{"pod_name":"p","host":"h"},"logGroup":"/aws/eks/prod/cluster"}"#;
        let found = parts(RawJson(json), &arena);
        assert_eq!(found.holders.iter().map(|raw| raw.0).collect::<Vec<_>>()[..2], [&b"\"l\""[..], b"\"m\""]);
        let names: Vec<_> = found.origin.names().map(|name| name.to_str_lossy()).collect();
        assert_eq!(names, ["h", "p", "prod"]);
    }
}
