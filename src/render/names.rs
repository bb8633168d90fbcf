//! Names to look at next, each with the flags that ask for it.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::answer::{Answer, Look};
use super::table::{Cell, Column, Kind, Table, render_table};
use crate::aggregate::names::{Name, ObjectName, Tally};
use crate::event::Timestamp;

/// So many names of a kind a table shows.
pub const SHOWN: usize = 20;

/// Flags longer than this would be cut, and are left out.
const LONGEST: usize = 180;

/// Values up to this long are repeated behind their flag, ready to be copied; of longer ones the flag is enough.
const REPEATED: usize = 40;

/// The names of the requests that match.
pub struct NamesAnswer {
    /// By kind, those of most requests first.
    pub names: Vec<(Name, Tally)>,
}

impl NamesAnswer {
    /// Those that a table for people shows, and how many it leaves out.
    fn shown(&self) -> (Vec<&(Name, Tally)>, usize) {
        let mut counts = [0usize; 5];
        let shown: Vec<_> = self
            .names
            .iter()
            .filter(|(name, _)| {
                counts.get_mut(name.place()).is_none_or(|count| {
                    *count += 1;
                    *count <= SHOWN
                })
            })
            .collect();
        let left_out = self.names.len() - shown.len();
        (shown, left_out)
    }

    /// How many names a table for people leaves out.
    pub fn left_out(&self) -> usize {
        self.shown().1
    }
}

impl Answer for NamesAnswer {
    const KIND: &'static str = "Names";

    fn table(&self, _: bool) -> Table {
        table(self.names.iter(), false)
    }

    fn members(&self) -> Map<String, Value> {
        let time = |time: Option<Timestamp>| time.map(Timestamp::to_rfc3339);
        let entry = |(name, tally): &(Name, Tally)| {
            let mut entry = Map::new();
            entry.insert("kind".to_owned(), json!(kind(name)));
            match name {
                Name::Object(object) => {
                    entry.insert("resource".to_owned(), json!(object.resource));
                    entry.insert("namespace".to_owned(), json!(present(&object.namespace)));
                    entry.insert("name".to_owned(), json!(present(&object.name)));
                }
                other => drop(entry.insert("value".to_owned(), json!(value(other)))),
            }
            entry.insert("requests".to_owned(), json!(tally.count));
            entry.insert("first".to_owned(), json!(time(tally.first)));
            entry.insert("last".to_owned(), json!(time(tally.last)));
            Value::Object(entry)
        };
        let names: Vec<Value> = self.names.iter().map(entry).collect();
        Map::from_iter([("names".to_owned(), Value::Array(names))])
    }

    fn people(&self, look: &Look, out: &mut Vec<u8>) {
        render_table(&table(self.shown().0.into_iter(), true), look.headers, look.zone, out);
    }
}

/// With `next`, the flags that ask for each; programs have no use for them.
fn table<'n>(names: impl Iterator<Item = &'n (Name, Tally)>, next: bool) -> Table {
    let mut columns = vec![
        Column::text("kind"),
        Column::text("value"),
        Column::number("requests"),
        Column::new("first", Kind::Time),
        Column::new("last", Kind::Time),
    ];
    columns.extend(next.then(|| Column::text("next")));
    let mut table = Table::new(columns);
    for (name, tally) in names {
        let time = |time: Option<Timestamp>| time.map_or(Cell::Missing, Cell::Time);
        let mut row = vec![
            Cell::Text(kind(name).to_owned()),
            Cell::Text(value(name)),
            Cell::Number(tally.count),
            time(tally.first),
            time(tally.last),
        ];
        if next {
            let flags = flags(name).filter(|flags| flags.chars().count() <= LONGEST);
            row.push(flags.map_or(Cell::Missing, Cell::Text));
        }
        table.rows.push(row);
    }
    table
}

fn kind(name: &Name) -> &'static str {
    ["user", "as", "ip", "agent", "object"].get(name.place()).copied().unwrap_or_default()
}

/// How a name is shown: an object as `deployments.apps/web in shop`.
fn value(name: &Name) -> String {
    match name {
        Name::User(text) | Name::As(text) | Name::Ip(text) | Name::Agent(text) => text.clone(),
        Name::Object(ObjectName { resource, namespace, name }) => {
            let mut text = resource.clone();
            let _ = if name.is_empty() { Ok(()) } else { write!(text, "/{name}") };
            let _ = if namespace.is_empty() { Ok(()) } else { write!(text, " in {namespace}") };
            text
        }
    }
}

fn present(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// The flags that ask for what a name stands for.
fn flags(name: &Name) -> Option<String> {
    let flag = |flag: &str, field: &str, value: &str| match is_plain_value(value) {
        // It stands beside it already, as long as it is not cut.
        true if (REPEATED + 1..LONGEST).contains(&value.chars().count()) => format!("{flag} …"),
        true => format!("{flag} {}", quoted(value)),
        false => expression(field, value),
    };
    Some(match name {
        Name::User(text) => flag("--user", "user.username", text),
        Name::As(text) => flag("--as", "impersonatedUser.username", text),
        // Any address of a request, or an expression about the first.
        Name::Ip(text) => flag("--source-ip", "sourceIPs[0]", text),
        Name::Agent(text) => flag("--user-agent", "userAgent", text),
        Name::Object(object) => object_flags(object)?,
    })
}

fn object_flags(object: &ObjectName) -> Option<String> {
    let resource = &object.resource;
    let mut text = match (is_plain_value(resource), resource.contains('/')) {
        (true, false) => format!("-r {}", quoted(resource)),
        // No resource of an API server is written like that.
        _ => return None,
    };
    for (flag, field, value) in
        [("-n", "objectRef.namespace", &object.namespace), ("--name", "objectRef.name", &object.name)]
    {
        if !value.is_empty() {
            text.push(' ');
            text += &if is_plain_value(value) { format!("{flag} {}", quoted(value)) } else { expression(field, value) };
        }
    }
    Some(text)
}

/// Whether a filter flag takes the value as it is: without globs, lists and negation.
fn is_plain_value(value: &str) -> bool {
    let special = |c: char| matches!(c, '*' | '?' | ',') || c.is_control() || super::sanitize::is_hazardous(c);
    !value.starts_with(['!', '~', '-', ' ']) && !value.ends_with(' ') && !value.contains(special) && value != "<none>"
}

/// `--where 'field == "value"'`, whatever the value.
fn expression(field: &str, value: &str) -> String {
    let mut text = format!("{field} == \"");
    for character in value.chars() {
        match character {
            '"' | '\\' => text.extend(['\\', character]),
            // An apostrophe would end what the shell is given.
            '\'' => text += "\\x27",
            _ if character.is_control() || super::sanitize::is_hazardous(character) => {
                let _ = write!(text, "\\U{:08x}", u32::from(character));
            }
            _ => text.push(character),
        }
    }
    format!("--where '{text}\"'")
}

/// A value as a shell takes it.
fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "@%+=:./_-".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        value.to_owned()
    } else {
        format!("'{}'", value.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_ask_for_exactly_the_name() {
        for (name, expected) in [
            (Name::User("alice@example.com".into()), "--user alice@example.com"),
            (Name::User("a*,b".into()), "--where 'user.username == \"a*,b\"'"),
            (Name::User("it's".into()), r"--user 'it'\''s'"),
            (Name::User("!it's".into()), r#"--where 'user.username == "!it\x27s"'"#),
            (Name::Agent("kubectl/v1 (linux)".into()), "--user-agent 'kubectl/v1 (linux)'"),
            (Name::Agent("a\u{1b}\"b".into()), r#"--where 'userAgent == "a\U0000001b\"b"'"#),
            (Name::Agent("kubectl/v1.33.1 (darwin/arm64) kubernetes/8adc0f0".into()), "--user-agent …"),
            (Name::Ip("203.0.113.9".into()), "--source-ip 203.0.113.9"),
            (
                Name::Object(ObjectName { resource: "pods".into(), namespace: "shop".into(), name: "web".into() }),
                "-r pods -n shop --name web",
            ),
            (Name::Object(ObjectName { resource: "nodes".into(), ..ObjectName::default() }), "-r nodes"),
        ] {
            assert_eq!(flags(&name).as_deref(), Some(expected), "{name:?}");
        }
    }
}
