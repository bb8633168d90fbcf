//! What stands before an event on its line, and what that does to the line.
//!
//! Tools that hand logs on put things in front: the pod (`kubectl logs --prefix`, stern), the node
//! (`oc adm node-logs`), a time, a stream, a syslog header. What they tell is where the line came from.

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;
use memchr::{memchr, memchr_iter, memmem};

use crate::event::{Origin, Text, Timestamp};

/// What a prefix says about where its line came from.
pub(super) fn origin<'a>(prefix: &'a [u8], arena: &'a Bump) -> Origin<'a> {
    let mut words: BumpVec<'a, &'a [u8]> = BumpVec::new_in(arena);
    let mut times = 0;
    let mut origin = Origin::NONE;
    for word in without_colour(prefix, arena).split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()) {
        match Timestamp::parse(word) {
            Some(time) => {
                times += 1;
                origin.time.get_or_insert(time);
            }
            None if words.len() < MOST_WORDS => words.push(word),
            None => {}
        }
    }
    match (words.as_slice(), times) {
        ([pod, ..], _) if pod.starts_with(b"[pod/") => of_kubectl(pod, &mut origin),
        // syslog, in its old form and its new one.
        ([_month, day, time, host, ..], 0) if day.len() <= 2 && is_clock(time) => origin.host = name(host),
        ([version, host, ..], 1) if version.starts_with(b"<") => origin.host = name(host),
        // `aws logs tail` has the stream behind its time, others only the node.
        ([stream], 1..) => origin.stream = name(stream),
        ([host], 0) => origin.host = name(host),
        // stern: pod and container.
        ([pod, container], 0) => (origin.pod, origin.container) = (name(pod), name(container)),
        _ => {}
    }
    origin
}

/// Whether what stands before an object may be a prefix, and not the rest of a line that lost its beginning:
/// a value in an object is no record, however much it looks like one.
pub(super) fn is_prefix(text: &[u8]) -> bool {
    !matches!(text.trim_ascii_end().last(), Some(b',' | b'[')) && memmem::find(text, b"\":").is_none()
}

/// More words than this tell nothing.
const MOST_WORDS: usize = 8;

/// `[pod/NAME/CONTAINER]`.
fn of_kubectl<'a>(word: &'a [u8], origin: &mut Origin<'a>) {
    let inner = word.trim_ascii().strip_prefix(b"[pod/").and_then(|word| word.strip_suffix(b"]"));
    let Some((pod, container)) = inner.and_then(|inner| Some(inner.split_at(memchr(b'/', inner)?))) else { return };
    origin.pod = name(pod);
    origin.container = container.get(1..).and_then(name);
}

/// A word that can be a name.
fn name(word: &[u8]) -> Option<Text<'_>> {
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'/' | b':');
    (!word.is_empty() && word.iter().all(fits)).then_some(Text::plain(word))
}

fn is_clock(word: &[u8]) -> bool {
    matches!(word, [b'0'..=b'9', b'0'..=b'9', b':', b'0'..=b'9', b'0'..=b'9', b':', ..])
}

/// The text without the escape sequences that colour it.
fn without_colour<'a>(text: &'a [u8], arena: &'a Bump) -> &'a [u8] {
    if memchr(0x1b, text).is_none() {
        return text;
    }
    let mut plain = BumpVec::with_capacity_in(text.len(), arena);
    let mut rest = text;
    while let Some(at) = memchr(0x1b, rest) {
        plain.extend_from_slice(&rest[..at]);
        let end = rest[at..].iter().position(u8::is_ascii_alphabetic).map_or(rest.len(), |end| at + end + 1);
        rest = &rest[end..];
    }
    plain.extend_from_slice(rest);
    plain.into_bump_slice()
}

/// Container runtimes hand long lines on in pieces of this size.
const PIECE: usize = 16 * 1024;

/// `kubectl logs --timestamps` puts a time before every piece of a long line, in the middle of it. Gives the
/// line without those; none if there are none.
pub(super) fn without_times<'a>(line: &[u8], arena: &'a Bump) -> Option<&'a [u8]> {
    let mut rest = line;
    let mut mended = BumpVec::with_capacity_in(line.len(), arena);
    while let Some((piece, behind)) = rest.split_at_checked(PIECE) {
        mended.extend_from_slice(piece);
        rest = behind;
        if rest.is_empty() {
            break;
        }
        let (_, used) = Timestamp::parse_prefix(rest)?;
        rest = rest.get(used..)?.strip_prefix(b" ")?;
    }
    if mended.is_empty() {
        return None;
    }
    mended.extend_from_slice(rest);
    Some(mended.into_bump_slice())
}

/// The cell of a CSV line, its doubled quotes undone, that begins before the `{"` at `at`.
pub(super) fn quoted_cell<'a>(line: &[u8], at: usize, arena: &'a Bump) -> Option<&'a [u8]> {
    let cell = line.get(at..)?;
    if at == 0 || line[at - 1] != b'"' || !cell.starts_with(b"{\"\"") {
        return None;
    }
    let mut text = BumpVec::with_capacity_in(cell.len(), arena);
    let mut from = 0;
    let mut quotes = memchr_iter(b'"', cell);
    while let Some(quote) = quotes.next() {
        if cell.get(quote + 1) != Some(&b'"') {
            text.extend_from_slice(&cell[from..quote]);
            return Some(text.into_bump_slice());
        }
        quotes.next();
        text.extend_from_slice(&cell[from..=quote]);
        from = quote + 2;
    }
    None
}

/// Where the value begins that a line opens and leaves open, behind a time: `aws logs tail --format json`
/// prints a pretty object from behind its prefix on.
pub(super) fn opening(line: &[u8]) -> Option<usize> {
    let line = line.trim_ascii_end();
    let at = line.strip_suffix(b" {")?.len() + 1;
    let begins = Timestamp::parse_prefix(line).is_some() || memmem::find(line, b"\x1b[").is_some();
    begins.then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins() {
        let arena = Bump::new();
        for (prefix, host, pod, stream) in [
            ("", None, None, None),
            ("ip-10-0-0-1.ec2.internal ", Some("ip-10-0-0-1.ec2.internal"), None, None),
            ("[pod/kube-apiserver-cp1/kube-apiserver] ", None, Some("kube-apiserver-cp1"), None),
            ("[pod/kube-apiserver-cp1/kube-apiserver] 2024-05-01T12:00:00.1Z ", None, Some("kube-apiserver-cp1"), None),
            ("2024-05-01T12:00:00.123456789Z ", None, None, None),
            ("kube-apiserver-cp1 kube-apiserver ", None, Some("kube-apiserver-cp1"), None),
            ("\x1b[32mkube-apiserver-cp1\x1b[0m \x1b[1mkube-apiserver\x1b[0m ", None, Some("kube-apiserver-cp1"), None),
            (
                "2023-05-16T11:59:16.123000+00:00 kube-apiserver-audit-abc ",
                None,
                None,
                Some("kube-apiserver-audit-abc"),
            ),
            ("<13>May  1 12:00:00 master-0 kube-apiserver: ", Some("master-0"), None, None),
            ("May 01 12:00:00 master-0 kube-apiserver[12]: ", Some("master-0"), None, None),
            ("<134>1 2024-05-01T12:00:00.000Z master-0 kube-apiserver - - - ", Some("master-0"), None, None),
            ("something, quoted \"here\": ", None, None, None),
        ] {
            let found = origin(prefix.as_bytes(), &arena);
            let expected = [host, pod, stream].map(|name| name.map(Text::from));
            assert_eq!([found.host, found.pod, found.stream], expected, "{prefix}");
        }
    }

    #[test]
    fn times_within_a_line() {
        let arena = Bump::new();
        let line: Vec<u8> = (0..3 * PIECE + 5).map(|at| b'a' + (at % 26) as u8).collect();
        let stamped = line.chunks(PIECE).collect::<Vec<_>>().join(&b"2024-05-01T12:00:00.5Z "[..]);
        assert_eq!(without_times(&stamped, &arena), Some(&line[..]));
        assert_eq!(without_times(&line, &arena), None);
        assert_eq!(without_times(b"short", &arena), None);
    }

    #[test]
    fn cells() {
        let arena = Bump::new();
        let line = br#"2024-05-01 12:00:00.000,"{""a"":""b\""c"",""d"":1}",x"#;
        let at = memmem::find(line, b"{\"").unwrap();
        assert_eq!(quoted_cell(line, at, &arena), Some(&br#"{"a":"b\"c","d":1}"#[..]));
        assert_eq!(quoted_cell(br#"x,{"a":1}"#, 2, &arena), None);
        assert_eq!(quoted_cell(br#"x,"{""a"":1"#, 3, &arena), None);
    }
}
