//! Where the values of a record stand in its line.
//!
//! Fields are read in the server's own order first: literal text, a value, literal text, without
//! looking for anything. Whatever is not expected there leaves the record to the reader of any order,
//! so the fast way never decides anything alone.

use std::marker::PhantomData;

use super::Problem;
use super::quoted::Quoted;
use crate::parse::outline::padded;
use crate::parse::simd::{self, Isa, Job, Level, escaped};

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
    escaped: u32,
}

impl Fields {
    /// Reads the pairs behind an `AUDIT:` that ends at `at`, and tells where they end.
    #[inline]
    pub(super) fn read(level: Level, line: &[u8], at: usize) -> Result<(Self, usize), Problem> {
        let mut fields = Fields::default();
        match fields.read_in_order(level, line, at) {
            Some(end) if end == line.len() => Ok((fields, end)),
            _ => Self::in_any_order(line, at),
        }
    }

    /// The value of a key.
    #[inline(always)]
    pub(super) fn get<'a>(&self, line: &'a [u8], key: Key) -> Option<Quoted<'a>> {
        let (start, end) = self.spans[key as usize];
        let raw = line.get(start as usize..end as usize).filter(|_| start > 0)?;
        Some(Quoted { raw, escaped: self.escaped >> key as u32 & 1 != 0 })
    }

    /// Whether the record has the key.
    #[inline(always)]
    pub(super) const fn has(&self, key: Key) -> bool {
        self.spans[key as usize].0 > 0
    }

    #[inline(always)]
    fn set(&mut self, key: Key, start: usize, end: usize, escaped: bool) {
        self.spans[key as usize] = (start as u32, end as u32);
        self.escaped |= u32::from(escaped) << key as u32;
    }

    /// Reads pairs as a server writes them and tells where they end; without an answer `self`, which must
    /// be empty, is worth nothing. Values never hold a line feed, so `text` need not end with the line.
    #[inline]
    pub(super) fn read_in_order(&mut self, level: Level, text: &[u8], at: usize) -> Option<usize> {
        simd::at(level, InOrder { text, at, fields: self })
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
            self.escaped |= u32::from(value.escaped) << index;
        }
    }
}

/// How many bytes of a key `text` starts with.
pub(super) fn key_length(text: &[u8]) -> usize {
    text.iter().position(|b| !matches!(b, b'a'..=b'z' | b'-')).unwrap_or(text.len())
}

/// Pairs to be read in the server's order.
struct InOrder<'a, 'f> {
    text: &'a [u8],
    at: usize,
    fields: &'f mut Fields,
}

impl Job for InOrder<'_, '_> {
    type Output = Option<usize>;

    #[inline(always)]
    fn run<I: Isa>(self) -> Option<usize> {
        let InOrder { text, at, fields } = self;
        let mut cursor = Cursor { text, at, base: at, stops: 0, slashes: 0, carry: 0, fields, isa: PhantomData::<I> };
        cursor.load()?;
        cursor.expect(Key::Id, b" id=\"")?;
        if cursor.accept(Key::Response, b" response=\"")?.is_none() {
            cursor.request()?;
        }
        Some(cursor.at)
    }
}

/// Reads values one behind the other.
struct Cursor<'a, 'f, I> {
    text: &'a [u8],
    at: usize,
    /// Where the sixty-four bytes begin that these are about; never behind `at`, nor behind a backslash.
    base: usize,
    /// The quotes that are not escaped, and the line feeds.
    stops: u64,
    slashes: u64,
    /// Whether the byte behind them is escaped, as a bit.
    carry: u64,
    fields: &'f mut Fields,
    isa: PhantomData<I>,
}

impl<I: Isa> Cursor<'_, '_, I> {
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
    fn expect<const N: usize>(&mut self, key: Key, literal: &[u8; N]) -> Option<()> {
        self.accept(key, literal)?
    }

    /// Takes this key and its value, if it is next; gives up where the value is not closed.
    #[inline(always)]
    fn accept<const N: usize>(&mut self, key: Key, literal: &[u8; N]) -> Option<Option<()>> {
        if self.text.get(self.at..)?.first_chunk() != Some(literal) {
            return Some(None);
        }
        let start = self.at + N;
        self.at = start;
        let escaped = self.pass_value()?;
        if self.text.get(self.at) != Some(&b'"') {
            return None;
        }
        self.fields.set(key, start, self.at, escaped);
        self.at += 1;
        Some(Some(()))
    }

    /// Goes on to the quote that ends the value, or to a line feed; tells whether a backslash stands before it.
    #[inline(always)]
    fn pass_value(&mut self) -> Option<bool> {
        let mut escaped = false;
        loop {
            let ahead = self.at - self.base;
            if ahead < 64 {
                let (stops, slashes) = (self.stops >> ahead, self.slashes >> ahead);
                if stops != 0 {
                    self.at += stops.trailing_zeros() as usize;
                    return Some(escaped | (slashes & stops.wrapping_sub(1) != 0));
                }
                escaped |= slashes != 0;
                self.at = self.base + 64;
            }
            self.base = self.at;
            self.load()?;
        }
    }

    /// Looks at the sixty-four bytes from `base` on, as far as there are any.
    #[inline(always)]
    fn load(&mut self) -> Option<()> {
        let rest = self.text.get(self.base..).filter(|rest| !rest.is_empty())?;
        match rest.first_chunk() {
            Some(block) => self.look_at(block),
            None => self.look_at(&padded(rest, 0)),
        }
        Some(())
    }

    #[inline(always)]
    fn look_at(&mut self, block: &[u8; 64]) {
        let (marks, slashes) = (I::marks(block), I::equal(block, b'\\'));
        (self.stops, self.slashes) = (marks, slashes);
        if slashes | self.carry != 0 {
            // A quote behind a backslash ends nothing; a line feed ends the line all the same.
            let quotes = marks & I::equal(block, b'"') & !escaped(slashes, &mut self.carry);
            self.stops = quotes | marks & I::equal(block, b'\n');
        }
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

    fn in_order(level: Level, line: &[u8]) -> Option<(Fields, usize)> {
        let mut fields = Fields::default();
        let end = fields.read_in_order(level, line, 0)?;
        Some((fields, end))
    }

    /// Where the reader of the server's order answers, the reader of any order gives the same; returns
    /// whether it answered.
    fn agrees(line: &[u8]) -> bool {
        let mut answers = Level::available().into_iter().map(|level| in_order(level, line));
        let answer = answers.next().flatten();
        assert!(answers.all(|other| other == answer), "{}", String::from_utf8_lossy(line));
        let Some((fields, end)) = answer else { return false };
        // Where the line feed is, the line would have been cut.
        let whole = memchr::memchr(b'\n', line).unwrap_or(line.len());
        let general = Fields::in_any_order(&line[..whole], 0);
        assert!(end <= whole);
        if end == whole {
            assert_eq!(general, Ok((fields, end)), "{}", String::from_utf8_lossy(line));
        }
        end == whole
    }

    #[test]
    fn reads_what_every_version_writes() {
        for line in LINES {
            assert!(agrees(line.as_bytes()), "{line}");
        }
        let (fields, _) = in_order(Level::best(), LINES[3].as_bytes()).expect("the server's order");
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
