//! Where the values of a record stand in its line.
//!
//! Fields are read in the server's own order first: literal text, a value, literal text, without
//! looking for anything. Whatever is not expected there leaves the record to the reader of any order,
//! so the fast way never decides anything alone.

use super::Problem;
use super::quoted::Quoted;
use crate::parse::quote::special;

/// A key that a server writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Key {
    Id,
    Stage,
    Ip,
    Method,
    User,
    Groups,
    As,
    AsGroups,
    UserAgent,
    Namespace,
    Uri,
    Response,
}

/// Their spelling, in the order of [`Key`], which is that of the server.
const KEYS: [&[u8]; 12] = [
    b"id",
    b"stage",
    b"ip",
    b"method",
    b"user",
    b"groups",
    b"as",
    b"asgroups",
    b"user-agent",
    b"namespace",
    b"uri",
    b"response",
];

/// The values of a record that mean something to us, as offsets into its line: small enough to be
/// kept for every request that waits for its response. Of several with one key the first counts.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) struct Fields {
    /// By [`Key`]: where the value begins and ends. A key stands before every value, so an absent one
    /// can be said to begin at 0. A record has at most 2^30 bytes.
    spans: [(u32, u32); KEYS.len()],
    /// One bit for each value that holds a backslash.
    escaped: u16,
}

impl Fields {
    /// Reads the pairs behind an `AUDIT:` that ends at `at`, and tells where they end.
    #[inline]
    pub(super) fn read(line: &[u8], at: usize) -> Result<(Self, usize), Problem> {
        match Self::in_order(line, at) {
            Some(fields) => Ok((fields, line.len())),
            None => Self::in_any_order(line, at),
        }
    }

    /// The value of a key.
    #[inline(always)]
    pub(super) fn get<'a>(&self, line: &'a [u8], key: Key) -> Option<Quoted<'a>> {
        let (start, end) = self.spans[key as usize];
        let raw = line.get(start as usize..end as usize).filter(|_| start > 0)?;
        Some(Quoted { raw, escaped: self.escaped >> key as u16 & 1 != 0 })
    }

    /// Whether the record has the key.
    #[inline(always)]
    pub(super) const fn has(&self, key: Key) -> bool {
        self.spans[key as usize].0 > 0
    }

    #[inline(always)]
    fn set(&mut self, key: Key, start: usize, end: usize, escaped: bool) {
        self.spans[key as usize] = (start as u32, end as u32);
        self.escaped |= u16::from(escaped) << key as u16;
    }

    /// Reads pairs as a server writes them, up to the end of the line.
    #[inline]
    pub(super) fn in_order(line: &[u8], at: usize) -> Option<Self> {
        let mut cursor = Cursor { line, at, fields: Fields::default() };
        cursor.expect(Key::Id, b" id=\"")?;
        if cursor.accept(Key::Response, b" response=\"")?.is_none() {
            cursor.request()?;
        }
        (cursor.at == line.len()).then_some(cursor.fields)
    }

    /// Reads pairs of any keys from `at` on and tells where they end.
    fn in_any_order(line: &[u8], mut at: usize) -> Result<(Self, usize), Problem> {
        let mut fields = Fields::default();
        loop {
            let rest = line.get(at..).unwrap_or_default();
            let start = at + rest.len() - rest.trim_ascii_start().len();
            let rest = rest.trim_ascii_start();
            let (key, after) = rest.split_at(key_length(rest));
            let Some(value) = after.strip_prefix(b"=\"").filter(|_| !key.is_empty()) else {
                // A cut line can end in half a key; other words behind the record are not ours.
                if matches!(after, b"" | b"=") && KEYS.iter().any(|k| !key.is_empty() && k.starts_with(key)) {
                    return Err(Problem { reason: "audit line ends inside a key", at: start });
                }
                return Ok((fields, at));
            };
            let open = start + key.len() + 1;
            let Some((quoted, used)) = Quoted::read(value) else {
                return Err(Problem { reason: "quoted value is not closed", at: open });
            };
            at = open + 1 + used;
            fields.note(key, open + 1, quoted);
        }
    }

    /// Takes note of a value unless its key is unknown or has one already.
    fn note(&mut self, key: &[u8], start: usize, value: Quoted<'_>) {
        let Some(index) = KEYS.iter().position(|known| *known == key) else { return };
        if self.spans[index].0 == 0 {
            self.spans[index] = (start as u32, (start + value.raw.len()) as u32);
            self.escaped |= u16::from(value.escaped) << index;
        }
    }
}

/// How many bytes of a key `text` starts with.
pub(super) fn key_length(text: &[u8]) -> usize {
    text.iter().position(|b| !matches!(b, b'a'..=b'z' | b'-')).unwrap_or(text.len())
}

/// Reads values one behind the other.
struct Cursor<'a> {
    line: &'a [u8],
    at: usize,
    fields: Fields,
}

impl Cursor<'_> {
    /// From the address on, a request line or a line of the one-line format.
    #[inline(always)]
    fn request(&mut self) -> Option<()> {
        self.accept(Key::Stage, b" stage=\"")?;
        self.expect(Key::Ip, b" ip=\"")?;
        self.expect(Key::Method, b" method=\"")?;
        self.expect(Key::User, b" user=\"")?;
        // Since 1.6.
        self.accept(Key::Groups, b" groups=\"")?;
        self.expect(Key::As, b" as=\"")?;
        // Since 1.5.
        self.accept(Key::AsGroups, b" asgroups=\"")?;
        // Since 1.22.
        self.accept(Key::UserAgent, b" user-agent=\"")?;
        self.expect(Key::Namespace, b" namespace=\"")?;
        self.expect(Key::Uri, b" uri=\"")?;
        self.accept(Key::Response, b" response=\"")?;
        Some(())
    }

    /// Takes this key and its value, or gives up.
    #[inline(always)]
    fn expect(&mut self, key: Key, literal: &[u8]) -> Option<()> {
        self.accept(key, literal)?
    }

    /// Takes this key and its value, if it is next; gives up where the value is not closed.
    #[inline(always)]
    fn accept(&mut self, key: Key, literal: &[u8]) -> Option<Option<()>> {
        if !self.line.get(self.at..).is_some_and(|rest| rest.starts_with(literal)) {
            return Some(None);
        }
        let start = self.at + literal.len();
        let mut end = special(self.line, start)?;
        let escaped = self.line[end] == b'\\';
        while self.line[end] == b'\\' {
            end = special(self.line, end + 2)?;
        }
        self.fields.set(key, start, end, escaped);
        self.at = end + 1;
        Some(Some(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: [&str; 5] = [
        r#" id="c939" response="200""#,
        r#" id="c939" ip="127.0.0.1" method="GET" user="admin" as="<self>" namespace="default" uri="/api""#,
        r#" id="c939" ip="127.0.0.1" method="GET" user="admin" as="<self>" asgroups="<lookup>" namespace="default" uri="/api""#,
        r#" id="c939" ip="127.0.0.1" method="GET" user="ad\"min" groups="\"system:masters\",\"system:authenticated\"" as="<self>" asgroups="<lookup>" namespace="default" uri="/api/v1/namespaces/default/pods?a=b\\c""#,
        r#" id="3c" stage="ResponseComplete" ip="10.0.0.9" method="create" user="u" groups="\"a\\\\b\"" as="alice" asgroups="\"dev\"" user-agent="evil \xff stage=\"Panic\" AUDIT: id=\"x\"" namespace="dev" uri="/x" response="101""#,
    ];

    /// Where the reader of the server's order answers, the reader of any order gives the same; returns
    /// whether it answered.
    fn agrees(line: &[u8]) -> bool {
        let Some(fields) = Fields::in_order(line, 0) else { return false };
        assert_eq!(Fields::in_any_order(line, 0), Ok((fields, line.len())), "{}", String::from_utf8_lossy(line));
        true
    }

    #[test]
    fn reads_what_every_version_writes() {
        for line in LINES {
            assert!(agrees(line.as_bytes()), "{line}");
        }
        let fields = Fields::in_order(LINES[3].as_bytes(), 0).expect("the server's order");
        let user = fields.get(LINES[3].as_bytes(), Key::User).expect("a user");
        assert_eq!((user.raw, user.escaped), (&br#"ad\"min"#[..], true));
        assert!(!fields.has(Key::Response));
    }

    #[test]
    fn agrees_on_lines_cut_and_with_bytes_changed() {
        let bytes = b"\"\\ =\t,aZ-\x00\n\xff";
        let mut answered = 0;
        for line in LINES {
            for at in 0..line.len() {
                agrees(&line.as_bytes()[..at]);
                for &byte in bytes {
                    let mut mutant = line.as_bytes().to_vec();
                    mutant[at] = byte;
                    answered += usize::from(agrees(&mutant));
                    mutant.insert(at, b'"');
                    agrees(&mutant);
                    mutant.remove(at);
                    mutant.remove(at);
                    agrees(&mutant);
                }
            }
        }
        assert!(answered > 2000, "most changes inside values leave a line the server could have written");
    }

    #[test]
    fn keys_that_change_places_are_left_to_the_other() {
        for (a, b) in [(" id=", " ip="), (" user=", " as="), (" namespace=", " uri="), (" ip=", " response=")] {
            for line in LINES {
                agrees(line.replace(a, " #").replace(b, a).replace(" #", b).as_bytes());
            }
        }
        assert!(!agrees(br#" id="a" response="200" response="201""#));
        assert!(!agrees(br#" id="a"  response="200""#));
        assert!(!agrees(br#" id="a" response="200" "#));
    }
}
