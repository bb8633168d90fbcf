//! Lines of a container runtime's log: `<time> <stream> <tags> <text>`.
//!
//! A line longer than 16 KiB comes in several, tagged `P` but for the last, which is tagged `F`; lines of
//! the other stream may stand between them. Source: the Container Runtime Interface's logging format.

use crate::event::Timestamp;

/// A line of a container runtime's log, taken apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Cri<'a> {
    /// `stdout` or `stderr`.
    pub(super) stream: &'a [u8],
    /// Whether the container's line goes on in the next piece.
    pub(super) more: bool,
    /// What the container wrote.
    pub(super) text: &'a [u8],
}

/// Takes a line apart; none if it has another shape.
pub(super) fn split(line: &[u8]) -> Option<Cri<'_>> {
    if line.get(4) != Some(&b'-') {
        return None;
    }
    let (_, used) = Timestamp::parse_prefix(line)?;
    let rest = line.get(used..)?;
    let rest = rest.strip_prefix(b" stdout ").or_else(|| rest.strip_prefix(b" stderr "))?;
    let stream = line.get(used + 1..used + 7)?;
    let tags = memchr::memchr(b' ', rest).unwrap_or(rest.len());
    let more = match rest.get(..tags)? {
        [b'P'] | [b'P', b':', ..] => true,
        [b'F'] | [b'F', b':', ..] => false,
        _ => return None,
    };
    Some(Cri { stream, more, text: rest.get(tags + 1..).unwrap_or_default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_what_looks_like_one() {
        let stdout = &b"stdout"[..];
        for (line, found) in [
            ("2024-05-01T12:00:00.123456789Z stdout F {}", Some((stdout, false, "{}"))),
            ("2024-05-01T12:00:00+02:00 stderr P:x ab c", Some((&b"stderr"[..], true, "ab c"))),
            ("2024-05-01T12:00:00Z stdout F ", Some((stdout, false, ""))),
            ("2024-05-01T12:00:00Z stdout F", Some((stdout, false, ""))),
            ("2024-05-01T12:00:00Z stdout Full", None),
            ("2024-05-01T12:00:00Z stdoutF F x", None),
            ("2024-05-01T12:00:00Z AUDIT: id=\"x\"", None),
            ("stdout F x", None),
        ] {
            let split = split(line.as_bytes());
            let found = found.map(|(stream, more, text)| Cri { stream, more, text: text.as_bytes() });
            assert_eq!(split, found, "{line}");
        }
    }
}
