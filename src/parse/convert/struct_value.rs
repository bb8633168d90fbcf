//! Bodies as Google's Go library prints a `structpb.Struct`: each value under the name of its type.

use bumpalo::Bump;

use crate::event::RawJson;

/// The protocol buffer library itself refuses to nest deeper.
const DEPTH: usize = 100;

/// The JSON that a printed structure stands for: none if the value is no such structure, and nothing
/// inside if it is one that cannot be read.
#[allow(clippy::option_option, reason = "what is no structure is a body as it stands")]
pub(super) fn unwrap<'a>(value: RawJson<'a>, arena: &'a Bump) -> Option<Option<RawJson<'a>>> {
    let fields = only(value, b"fields")?;
    let (_, first) = fields.members().next()?;
    only(first, b"Kind")?;
    let mut out = Vec::new();
    let read = object(fields, DEPTH, &mut out);
    Some(read.map(|()| RawJson(arena.alloc_slice_copy(&out))))
}

/// The value of an object's one member.
fn only<'a>(value: RawJson<'a>, name: &[u8]) -> Option<RawJson<'a>> {
    let mut members = value.members();
    let (found, inner) = members.next()?;
    (found.eq_bytes(name) && members.next().is_none()).then_some(inner)
}

/// Writes the fields of a structure, without the type that Google adds to the outermost.
fn object(fields: RawJson<'_>, depth: usize, out: &mut Vec<u8>) -> Option<()> {
    out.push(b'{');
    for (name, value) in fields.members() {
        if depth == DEPTH && name.eq_bytes(b"@type") {
            continue;
        }
        if out.last() != Some(&b'{') {
            out.push(b',');
        }
        out.push(b'"');
        out.extend_from_slice(name.raw());
        out.extend_from_slice(b"\":");
        typed(value, depth - 1, out)?;
    }
    out.push(b'}');
    Some(())
}

fn list(values: RawJson<'_>, depth: usize, out: &mut Vec<u8>) -> Option<()> {
    out.push(b'[');
    for value in values.elements() {
        if out.last() != Some(&b'[') {
            out.push(b',');
        }
        typed(value, depth - 1, out)?;
    }
    out.push(b']');
    Some(())
}

/// Writes the value below its type. Empty structures and lists have no member at all.
fn typed(value: RawJson<'_>, depth: usize, out: &mut Vec<u8>) -> Option<()> {
    if depth == 0 {
        return None;
    }
    let (kind, value) = only(value, b"Kind")?.members().next()?;
    match kind.raw() {
        b"StructValue" => object(only(value, b"fields").unwrap_or(RawJson(b"{}")), depth, out)?,
        b"ListValue" => list(only(value, b"values").unwrap_or(RawJson(b"[]")), depth, out)?,
        b"NullValue" => out.extend_from_slice(b"null"),
        b"StringValue" | b"NumberValue" | b"BoolValue" => out.extend_from_slice(value.0),
        _ => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_taken_off() {
        let arena = Bump::new();
        let given = br#"{"fields":{"@type":{"Kind":{"StringValue":"t"}},"a":{"Kind":{"NumberValue":4.5}},
            "b":{"Kind":{"ListValue":{"values":[{"Kind":{"NullValue":0}},{"Kind":{"BoolValue":true}}]}}},
            "c":{"Kind":{"StructValue":{}}},"d":{"Kind":{"StructValue":{"fields":{"@type":{"Kind":{"StringValue":"\u0026"}}}}}}}}"#;
        let expected = br#"{"a":4.5,"b":[null,true],"c":{},"d":{"@type":"\u0026"}}"#;
        assert_eq!(unwrap(RawJson(given), &arena), Some(Some(RawJson(expected))));
    }

    #[test]
    fn what_is_no_structure_is_left_alone() {
        let arena = Bump::new();
        for given in
            ["{}", "[]", "1", r#"{"fields":1}"#, r#"{"fields":{"a":1}}"#, r#"{"fields":{"a":{"Kind":{}}},"b":1}"#]
        {
            assert_eq!(unwrap(RawJson(given.as_bytes()), &arena), None, "{given}");
        }
        for given in [r#"{"fields":{"a":{"Kind":{"OddValue":1}}}}"#, r#"{"fields":{"a":{"Kind":{}}}}"#] {
            assert_eq!(unwrap(RawJson(given.as_bytes()), &arena), Some(None), "{given}");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let arena = Bump::new();
        let nested = |levels: usize| {
            let open = r#"{"fields":{"a":{"Kind":{"StructValue":"#.repeat(levels);
            format!("{open}{{}}{}", "}}}}".repeat(levels))
        };
        let read = |levels: usize| unwrap(RawJson(arena.alloc_str(&nested(levels)).as_bytes()), &arena);
        assert!(read(50).flatten().is_some());
        assert_eq!(read(5000), Some(None));
    }
}
