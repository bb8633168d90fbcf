//! The query of a request's URL: its parameters, and what they say of a list.

use std::cmp::Ordering;

use bumpalo::Bump;
use memchr::{memchr, memchr2};

use super::Rules;
use super::percent::percent_decode;
use super::selector::selected_name;
use crate::event::Text;

/// A raw query, cut into parameters only when a list needs them.
#[derive(Clone, Copy)]
pub(super) struct Query<'a> {
    pub(super) rest: &'a [u8],
    /// Whether this is the inside of a JSON string, where `&` is mostly `\u0026`.
    pub(super) escaped: bool,
}

/// The parameters that decide the name of a list; the first of several counts.
#[derive(Default)]
pub(super) struct ListOptions<'a> {
    field_selector: Option<&'a [u8]>,
    limit: Option<&'a [u8]>,
    timeout_seconds: Option<&'a [u8]>,
}

impl<'a> Query<'a> {
    /// The value of a parameter: that of the first one that can be decoded.
    pub(super) fn value(mut self, wanted: &[u8], arena: &'a Bump) -> Option<&'a [u8]> {
        while let Some(parameter) = self.next_parameter() {
            // Most are another by their first byte, unless that is encoded.
            let first = parameter.first();
            if first != wanted.first() && !matches!(first, Some(b'%' | b'\\')) {
                continue;
            }
            let at = memchr(b'=', parameter);
            let (key, value) = parameter.split_at(at.unwrap_or(parameter.len()));
            // Encoding only makes a key longer.
            let is_wanted = match key.len().cmp(&wanted.len()) {
                Ordering::Less => false,
                Ordering::Equal => key == wanted,
                Ordering::Greater => self.component(key, arena) == Some(wanted),
            };
            if is_wanted
                && memchr(b';', parameter).is_none()
                && let Some(value) = self.component(value.get(1..).unwrap_or_default(), arena)
            {
                return Some(value);
            }
        }
        None
    }

    pub(super) fn options(mut self, arena: &'a Bump) -> ListOptions<'a> {
        let mut options = ListOptions::default();
        while let Some(parameter) = self.next_parameter() {
            let at = memchr(b'=', parameter);
            let (key, value) = parameter.split_at(at.unwrap_or(parameter.len()));
            // Go drops a parameter it cannot decode, and any with a semicolon.
            let Some(slot) = self.component(key, arena).and_then(|key| options.slot(key)) else { continue };
            if slot.is_none() && memchr(b';', parameter).is_none() {
                *slot = self.component(value.get(1..).unwrap_or_default(), arena);
            }
        }
        options
    }

    /// Takes the bytes up to the next `&`, however the log spells it.
    fn next_parameter(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest;
        if rest.is_empty() {
            return None;
        }
        let mut at = 0;
        let (end, separator) = loop {
            let tail = rest.get(at..).unwrap_or_default();
            let hit = if self.escaped { memchr2(b'&', b'\\', tail) } else { memchr(b'&', tail) };
            match hit.map(|hit| (at + hit, tail.get(hit..).unwrap_or_default())) {
                None => break (rest.len(), 0),
                Some((hit, found)) if found.first() == Some(&b'&') => break (hit, 1),
                Some((hit, found)) if found.starts_with(br"\u0026") => break (hit, 6),
                Some((hit, _)) => at = hit + 2,
            }
        };
        self.rest = rest.get(end + separator..).unwrap_or_default();
        rest.get(..end)
    }

    /// The bytes that a key or value stands for; none when its percent encoding is broken.
    fn component(self, raw: &'a [u8], arena: &'a Bump) -> Option<&'a [u8]> {
        let raw = if self.escaped && memchr(b'\\', raw).is_some() {
            arena.alloc_slice_copy(&Text::json(raw, true).decode())
        } else {
            raw
        };
        if memchr2(b'%', b'+', raw).is_none() {
            return Some(raw);
        }
        let (decoded, sound) = percent_decode(raw, true, arena);
        sound.then_some(decoded)
    }
}

/// Only `0`, `false` and absence mean a list, and before 1.8 the empty value.
pub(super) fn wants_watch(watch: Option<&[u8]>, rules: Rules) -> bool {
    watch.is_some_and(|value| {
        let off = value == b"0" || value.eq_ignore_ascii_case(b"false");
        !off && (rules == Rules::Modern || !value.is_empty())
    })
}

impl<'a> ListOptions<'a> {
    fn slot(&mut self, key: &[u8]) -> Option<&mut Option<&'a [u8]>> {
        Some(match key {
            b"fieldSelector" => &mut self.field_selector,
            b"limit" => &mut self.limit,
            b"timeoutSeconds" => &mut self.timeout_seconds,
            _ => return None,
        })
    }

    /// The one object that the field selector allows. A server that cannot decode the options takes
    /// no name. Label selectors are not checked: a broken one only loses that refinement on a
    /// request the server answers with 400 anyway.
    pub(super) fn name(&self, arena: &'a Bump) -> Option<Text<'a>> {
        let selector = self.field_selector?;
        let sound = |number: Option<&[u8]>| number.is_none_or(is_i64);
        if !sound(self.limit) || !sound(self.timeout_seconds) {
            return None;
        }
        let name = selected_name(selector, arena)?;
        let legal = !matches!(name, b"" | b"." | b"..") && memchr2(b'/', b'%', name).is_none();
        legal.then_some(Text::plain(name))
    }
}

fn is_i64(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| text.parse::<i64>().is_ok())
}
