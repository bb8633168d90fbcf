//! The order of rotated files, from their names.
//!
//! The API server's own rotation puts the UTC time of the rotation before the extension
//! (`audit-2021-03-09T00-12-19.834.log`); outer tools append a number that grows with age
//! (`audit.log.1`) or a date (`audit.log-20240501`). A compressed file has its own ending behind all
//! that. The live file is the newest. Source: lumberjack's and logrotate's naming.

/// Endings of compressed files.
const COMPRESSED: [&str; 6] = [".gz", ".zst", ".bz2", ".xz", ".zstd", ".gzip"];

/// A file's place among the files of one log.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct RotationKey {
    /// The live file's name: what all files of one log share.
    pub family: String,
    /// 0 for rotated files, 1 for the live one.
    live: u8,
    /// The time or date in the name.
    stamp: String,
    /// Higher numbers are older.
    age: std::cmp::Reverse<u64>,
}

impl RotationKey {
    /// Reads a file name.
    pub fn of(name: &str) -> Self {
        let name = without_compression(name);
        let (rest, age) = split_number(name);
        let (family, stamp) = split_stamp(rest);
        let live = u8::from(stamp.is_empty() && age.is_none());
        RotationKey { family, live, stamp, age: std::cmp::Reverse(age.unwrap_or(0)) }
    }

    /// The time or date in the name: when the file ended.
    pub fn stamp(&self) -> Option<&str> {
        (!self.stamp.is_empty()).then_some(&*self.stamp)
    }

    /// The number in the name of a rotated file; higher ones are older.
    pub const fn number(&self) -> Option<u64> {
        if self.live == 0 && self.stamp.is_empty() { Some(self.age.0) } else { None }
    }

    /// Whether the name is that of a live file, whose last line may still be unfinished.
    pub const fn is_live(&self) -> bool {
        self.live == 1
    }
}

/// The name of the file a compressed file was made from.
pub fn without_compression(name: &str) -> &str {
    COMPRESSED.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name)
}

/// Splits a trailing `.N` off, where N is a rotation number.
fn split_number(name: &str) -> (&str, Option<u64>) {
    if let Some((rest, digits)) = name.rsplit_once('.')
        && !rest.is_empty()
        && digits.len() <= 5
        && digits.bytes().all(|b| b.is_ascii_digit())
        && !digits.is_empty()
    {
        return (rest, digits.parse().ok());
    }
    (name, None)
}

/// Splits the rotation time out of a name; what is left is the live file's name.
fn split_stamp(name: &str) -> (String, String) {
    for (at, _) in name.match_indices(['-', '.']) {
        let Some((before, after)) = name.split_at_checked(at) else { continue };
        let Some(length) = stamp_length(after.as_bytes()) else { continue };
        if let Some((stamp, rest)) = after.split_at_checked(length) {
            return (format!("{before}{rest}"), stamp.chars().skip(1).collect());
        }
    }
    (name.to_owned(), String::new())
}

/// The length of a separator and stamp: `-2021-03-09T00-12-19.834`, `-20240501`, `.20240501-120000`.
fn stamp_length(text: &[u8]) -> Option<usize> {
    let shapes: [&[u8]; 5] =
        [b"?0000-00-00T00-00-00.000", b"?0000-00-00T00-00-00", b"?00000000-000000", b"?00000000", b"?0000-00-00"];
    shapes.iter().find(|shape| fits(text, shape)).map(|shape| shape.len())
}

fn fits(text: &[u8], shape: &[u8]) -> bool {
    let same = |(&byte, &wanted): (&u8, &u8)| match wanted {
        b'?' => true,
        b'0' => byte.is_ascii_digit(),
        other => byte == other,
    };
    text.len() >= shape.len()
        && text.iter().zip(shape).all(same)
        && !text.get(shape.len()).is_some_and(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oldest_first() {
        let ordered = [
            "audit-2021-03-09T00-12-19.834.log.gz",
            "audit-2021-03-09T01-00-00.001.log",
            "audit-2022-03-03T11-49-22.459.log.1.gz",
            "audit.log",
        ];
        let mut names = ordered;
        names.reverse();
        names.sort_by_key(|name| RotationKey::of(name));
        assert_eq!(names, ordered);
        assert!(ordered.iter().all(|name| RotationKey::of(name).family == "audit.log"));
    }

    #[test]
    fn numbers_grow_with_age() {
        let mut names = ["audit.log", "audit.log.1", "audit.log.10.gz", "audit.log.2.gz"];
        names.sort_by_key(|name| RotationKey::of(name));
        assert_eq!(names, ["audit.log.10.gz", "audit.log.2.gz", "audit.log.1", "audit.log"]);
    }

    #[test]
    fn families() {
        for (name, family) in [
            ("audit-log-2024-05-01T10-00-00.000.json", "audit-log.json"),
            ("kube-audit-2024-05-01T10-00-00.000", "kube-audit"),
            ("audit.log-20240501.gz", "audit.log"),
            ("0.log.20240501-120000", "0.log"),
            ("master-0-audit-2024-05-01T10-00-00.000.log.gz", "master-0-audit.log"),
            ("plain", "plain"),
        ] {
            assert_eq!(RotationKey::of(name).family, family, "{name}");
        }
        assert_eq!(RotationKey::of("audit-2021-03-09T00-12-19.834.log.gz").stamp(), Some("2021-03-09T00-12-19.834"));
        assert_eq!(RotationKey::of("audit.log.2.gz").number(), Some(2));
        assert_eq!((RotationKey::of("audit.log").number(), RotationKey::of("audit.log").stamp()), (None, None));
        assert!(RotationKey::of("audit.log").is_live());
        assert!(!RotationKey::of("audit.log.1").is_live());
    }
}
