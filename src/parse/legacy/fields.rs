//! Where the values of a record stand in its line.
//!
//! Fields are read in the server's own order first: literal text, a value, literal text, without
//! looking for anything. Whatever is not expected there leaves the record to the reader of any order,
//! so the fast way never decides anything alone.

use memchr::memchr;

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
    fn set(&mut self, key: Key, start: usize, end: usize) {
        self.spans[key as usize] = (start as u32, end as u32);
    }

    /// Marks the values of `text` that hold backslashes; the first of them and the last are known. Nearly always
    /// they stand in the list of groups, and nowhere else.
    #[inline(always)]
    fn mark_escaped(&mut self, text: &[u8], first: usize, last: usize) {
        let (start, end) = self.spans[Key::Groups as usize];
        if (start as usize..end as usize).contains(&first) && last < end as usize {
            self.escaped = 1 << Key::Groups as u32;
        } else {
            self.mark_each_escaped(text);
        }
    }

    #[cold]
    fn mark_each_escaped(&mut self, text: &[u8]) {
        for (index, &(start, end)) in self.spans.iter().enumerate() {
            let value = text.get(start as usize..end as usize).unwrap_or_default();
            self.escaped |= u32::from(memchr(b'\\', value).is_some()) << index;
        }
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
        let text = self.text.get(self.at..)?;
        let mut stops = Stops { places: [0; _], quotes: 0, first_slash: usize::MAX, last_slash: 0 };
        stops.list::<I>(text)?;
        let mut cursor = Cursor { text, origin: self.at, at: 0, places: &stops.places, passed: 0, fields: self.fields };
        cursor.expect(Key::Id, b" id=\"")?;
        if !cursor.accept(Key::Response, b" response=\"") {
            cursor.request()?;
        }
        let Cursor { at, passed, .. } = cursor;
        if passed > stops.quotes {
            return None;
        }
        if stops.first_slash < at {
            self.fields.mark_escaped(self.text, self.at + stops.first_slash, self.at + stops.last_slash);
        }
        Some(self.at + at)
    }
}

/// Where values can end in a line: its quotes that are not escaped, and behind them its line feed.
///
/// They are listed before any value is read. Which of sixty-four bytes a value ends in cannot be foreseen, and to
/// go on to the next sixty-four in the midst of values would be a branch that is mispredicted as often. Of a line
/// longer than 64 KiB none are listed: it is left to the reader of any order.
struct Stops {
    places: [u16; Stops::MOST + 64],
    /// How many quotes are listed.
    quotes: usize,
    /// Where the first backslash of the line stands, if it has any, and the last.
    first_slash: usize,
    last_slash: usize,
}

impl Stops {
    /// As many as a record with all keys has.
    const MOST: usize = 2 * KEYS.len();

    /// Lists those of the line that `text` starts with, as far as a record needs them.
    #[inline(always)]
    fn list<I: Isa>(&mut self, text: &[u8]) -> Option<()> {
        let (mut base, mut count, mut carry) = (0u16, 0, 0);
        loop {
            let rest = text.get(base.into()..).filter(|rest| !rest.is_empty())?;
            let found = match rest.first_chunk() {
                Some(block) => I::quotes(block),
                None => I::quotes(&padded(rest, 0)),
            };
            let line = found.line_feed ^ found.line_feed.wrapping_sub(1);
            let (feed, slash) = (found.line_feed & line, found.slash & line);
            let quote = found.quote & line & !escaped(slash, &mut carry);
            I::places(quote | feed, base, self.places.get_mut(count..)?.first_chunk_mut()?);
            count += (quote | feed).count_ones() as usize;
            if slash != 0 {
                self.first_slash = self.first_slash.min(usize::from(base) + slash.trailing_zeros() as usize);
                self.last_slash = usize::from(base) + 63 - slash.leading_zeros() as usize;
            }
            if feed != 0 || count > Stops::MOST || rest.len() <= 64 {
                self.quotes = count - usize::from(feed != 0);
                return Some(());
            }
            base = base.checked_add(64)?;
        }
    }
}

/// Reads values one behind the other.
struct Cursor<'a, 'f> {
    text: &'a [u8],
    /// Where `text` stands in what the fields are told of.
    origin: usize,
    at: usize,
    places: &'f [u16; Stops::MOST + 64],
    /// So many quotes are behind us, if as many are listed.
    passed: usize,
    fields: &'f mut Fields,
}

impl Cursor<'_, '_> {
    /// From the address on, a request line or a line of the one-line format.
    #[inline(always)]
    fn request(&mut self) -> Option<()> {
        self.accept(Key::Stage, b" stage=\"");
        self.expect(Key::Ip, b" ip=\"")?;
        self.expect(Key::Method, b" method=\"")?;
        self.expect(Key::User, b" user=\"")?;
        // Since 1.6.
        self.accept(Key::Groups, b" groups=\"");
        self.expect(Key::As, b" as=\"")?;
        // Since 1.5.
        self.accept(Key::AsGroups, b" asgroups=\"");
        // Since 1.22.
        self.accept(Key::UserAgent, b" user-agent=\"");
        self.expect(Key::Namespace, b" namespace=\"")?;
        self.expect(Key::Uri, b" uri=\"")?;
        self.accept(Key::Response, b" response=\"");
        Some(())
    }

    /// Takes this key and its value, or gives up.
    #[inline(always)]
    fn expect<const N: usize>(&mut self, key: Key, literal: &[u8; N]) -> Option<()> {
        self.accept(key, literal).then_some(())
    }

    /// Takes this key and its value, if it is next.
    #[inline(always)]
    fn accept<const N: usize>(&mut self, key: Key, literal: &[u8; N]) -> bool {
        if self.text.get(self.at..).and_then(|rest| rest.first_chunk()) != Some(literal) {
            return false;
        }
        // The quote at the literal's end is the next one, and behind it comes the one that ends the value.
        let end = self.places.get(self.passed + 1).map_or(0, |&end| usize::from(end));
        self.fields.set(key, self.origin + self.at + N, self.origin + end);
        (self.at, self.passed) = (end + 1, self.passed + 2);
        true
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

    #[test]
    fn values_of_any_length_with_any_escapes() {
        for length in (0..400).chain([8000, 65_000, 65_400, 65_536, 70_000]) {
            for filler in ["a", r#"\""#, r"\\", r#"a\\\""#] {
                let value: String = filler.chars().cycle().take(length / filler.len() * filler.len()).collect();
                for key in ["namespace", "groups", "user", "id"] {
                    let line = LINES[3].replacen(&format!(" {key}=\""), &format!(" {key}=\"{value}"), 1);
                    assert_eq!(agrees(line.as_bytes()), line.len() <= 65_536, "{length} of {filler} in {key}");
                }
            }
        }
    }
}
