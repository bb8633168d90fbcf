//! What stands before `AUDIT:`: the time, and sometimes the host.
//!
//! Collectors put anything in front of a line: node and pod names, their own time, syslog headers, a
//! glog header, the file name of a `grep`. The time next to `AUDIT:` is the server's, so the last one counts.

use crate::event::{Text, Timestamp};

/// What a prefix tells about its record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Prefix<'a> {
    pub(super) time: Option<Timestamp>,
    pub(super) host: Option<Text<'a>>,
}

impl<'a> Prefix<'a> {
    /// Reads the bytes before `AUDIT:`. A glog header alone has no year and so no time.
    pub(super) fn read(prefix: &'a [u8]) -> Self {
        // The server's own line has its time and a space there, and nothing else.
        if let Some((time, used)) = Timestamp::parse_prefix(prefix)
            && prefix.get(used..) == Some(b" ")
        {
            return Prefix { time: Some(time), host: None };
        }
        let mut rest = prefix.trim_ascii_end();
        let mut is_next_to_record = true;
        while !rest.is_empty() {
            let start = rest.iter().rposition(u8::is_ascii_whitespace).map_or(0, |at| at + 1);
            let (before, word) = rest.split_at(start);
            if let Some((time, is_whole)) = last_time(word) {
                let host = if is_next_to_record && is_whole { host(before) } else { None };
                return Prefix { time: Some(time), host };
            }
            is_next_to_record = false;
            rest = before.trim_ascii_end();
        }
        Prefix::default()
    }
}

/// The time a word ends with, and whether it is the whole word (`grep` glues `file:` to it, and
/// some collectors put it in brackets).
fn last_time(word: &[u8]) -> Option<(Timestamp, bool)> {
    let word = word.strip_suffix(b"]").unwrap_or(word);
    // The date takes ten bytes before the letter.
    memchr::memrchr_iter(b'T', word).find_map(|at| {
        let start = at.checked_sub(10)?;
        Some((Timestamp::parse(word.get(start..)?)?, start == 0))
    })
}

/// The host, when what stands before the time is one word that can be one.
fn host(before: &[u8]) -> Option<Text<'_>> {
    let word = before.trim_ascii();
    let is_name = word.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
    (!word.is_empty() && is_name && Timestamp::parse(word).is_none()).then_some(Text::plain(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_time_and_the_only_word() {
        let inner = Timestamp::parse(b"2017-03-21T03:57:09.5-04:00");
        for (prefix, time, host) in [
            ("2017-03-21T03:57:09.5-04:00 ", inner, None),
            ("2017-03-21T03:57:09.5-04:00", inner, None),
            ("ip-10-0-0-1.ec2.internal 2017-03-21T03:57:09.5-04:00 ", inner, Some("ip-10-0-0-1.ec2.internal")),
            ("2020-01-01T00:00:00Z stdout F 2017-03-21T03:57:09.5-04:00 ", inner, None),
            ("2020-01-01T00:00:00Z 2017-03-21T03:57:09.5-04:00 ", inner, None),
            ("[pod/kube-apiserver/kube-apiserver] 2017-03-21T03:57:09.5-04:00 ", inner, None),
            ("Mar 21 03:57:09 master-0 hyperkube[12]: 2017-03-21T03:57:09.5-04:00 ", inner, None),
            ("audit.log:17:2017-03-21T03:57:09.5-04:00 ", inner, None),
            ("TEST:2017-03-21T03:57:09.5-04:00 ", inner, None),
            ("[2017-03-21T03:57:09.5-04:00] ", inner, None),
            ("2017-03-21T03:57:09.5-04:00 I0406 12:34:56.789012   12345 audit.go:45] ", inner, None),
            ("node I0406 12:34:56.789012   12345 audit.go:45] ", None, None),
            ("", None, None),
        ] {
            assert_eq!(Prefix::read(prefix.as_bytes()), Prefix { time, host: host.map(Text::from) }, "{prefix}");
        }
    }
}
