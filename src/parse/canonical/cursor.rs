//! Steps through text as the server writes it: literal text, a value, literal text.

use std::marker::PhantomData;

use super::HEAD;
use crate::event::{RawJson, Text};
use crate::parse::container::container_end;
use crate::parse::json::Scanner;
use crate::parse::outline::{Room, padded};
use crate::parse::simd::{Isa, Marks};

/// So many blocks, and one more, are looked through at once [where that pays](Isa::LOOKS_AHEAD).
const AHEAD: usize = 8;

/// Where an event is being read. What it takes is proved; where anything else stands it gives up.
pub(super) struct Cursor<'a, I> {
    pub(super) text: &'a [u8],
    pub(super) at: usize,
    /// Where the event must have ended.
    pub(super) limit: usize,
    /// Where the blocks begin that `marks` are about.
    base: usize,
    /// The quotes, backslashes and line feeds of the blocks from `base` on.
    marks: [Marks; AHEAD + 1],
    isa: PhantomData<I>,
}

impl<'a, I: Isa> Cursor<'a, I> {
    /// Behind the head of the event that begins at `start`.
    #[inline(always)]
    pub(super) fn behind_head(text: &'a [u8], start: usize, limit: usize) -> Self {
        let at = start + HEAD.len();
        Cursor { text, at, limit, base: at.wrapping_sub(64 * AHEAD), marks: [0; AHEAD + 1], isa: PhantomData }
    }

    /// Takes exactly these bytes, if they are next.
    #[inline(always)]
    pub(super) fn skip(&mut self, literal: &[u8]) -> bool {
        let next = self.text.get(self.at..).is_some_and(|rest| rest.starts_with(literal));
        if next {
            self.at += literal.len();
        }
        next
    }

    /// Takes exactly these bytes, or gives up.
    #[inline(always)]
    pub(super) fn expect(&mut self, literal: &[u8]) -> Option<()> {
        self.skip(literal).then_some(())
    }

    /// The next quote, backslash or line feed.
    #[inline(always)]
    fn mark(&mut self) -> Option<usize> {
        let known = if I::LOOKS_AHEAD { 64 * AHEAD } else { 64 };
        let mut at = self.at;
        loop {
            if at.wrapping_sub(self.base) >= known {
                self.find_marks(at)?;
            }
            // It is less than that already; so nobody checks it again below.
            let (block, bit) = ((at - self.base) / 64 % AHEAD, (at - self.base) % 64);
            let mut rest = self.marks[block] >> bit;
            if I::LOOKS_AHEAD {
                // Sixty-four bytes of two blocks: where they meet makes no difference then, and there is no branch
                // that would often be foreseen wrongly.
                rest |= self.marks[block + 1] << 1 << (63 - bit);
            }
            if rest != 0 {
                return Some(at + rest.trailing_zeros() as usize);
            }
            at += if I::LOOKS_AHEAD { 64 } else { 64 - bit };
        }
    }

    /// Finds the marks of the blocks that begin here.
    #[inline(always)]
    fn find_marks(&mut self, at: usize) -> Option<()> {
        if at >= self.limit {
            return None;
        }
        let rest = self.text.get(at..)?;
        self.base = at;
        if !I::LOOKS_AHEAD {
            self.marks[0] = match rest.first_chunk() {
                Some(block) => I::marks(block),
                None => I::marks(&padded(rest, 0)),
            };
            return Some(());
        }
        match rest.first_chunk() {
            Some(blocks) => self.find_marks_of(blocks),
            None => self.find_marks_of(&padded(rest, 0)),
        }
        Some(())
    }

    #[inline(always)]
    fn find_marks_of(&mut self, blocks: &[u8; 64 * (AHEAD + 1)]) {
        for (marks, block) in self.marks.iter_mut().zip(blocks.as_chunks().0) {
            *marks = I::marks(block);
        }
    }

    /// Takes the rest of a string whose opening quote is behind us.
    #[inline(always)]
    pub(super) fn text(&mut self) -> Option<Text<'a>> {
        let start = self.at;
        let mut end = self.mark()?;
        let escaped = self.text[end] != b'"';
        while self.text[end] != b'"' {
            // Behind a backslash anything may stand but a line feed, which can only be a tear.
            if self.text[end] != b'\\' || self.text.get(end + 1) == Some(&b'\n') {
                return None;
            }
            self.at = end + 2;
            end = self.mark()?;
        }
        self.at = end + 1;
        Some(Text::json(&self.text[start..end], escaped))
    }

    /// Takes a string that counts as absent when empty.
    #[inline(always)]
    pub(super) fn filled(&mut self) -> Option<Option<Text<'a>>> {
        Some(Some(self.text()?).filter(|text| !text.is_empty()))
    }

    /// Takes any value, proved sound.
    #[inline(always)]
    fn value(&mut self, room: &mut Room) -> Option<RawJson<'a>> {
        if matches!(self.text.get(self.at)?, b'{' | b'[') {
            let start = self.at;
            self.at = container_end::<I>(self.text, start, self.limit, room)?;
            return Some(RawJson(&self.text[start..self.at]));
        }
        // A string may hold a line feed, and the scanner would look for a value behind white space, on the
        // next line if need be. Scalars hold neither.
        let line = &self.text[..self.limit];
        if !line.get(self.at)?.is_ascii_alphanumeric() && line[self.at] != b'-' {
            return None;
        }
        let mut scanner = Scanner::new(line, self.at);
        let value = scanner.value().ok()?;
        self.at = scanner.position();
        Some(value)
    }

    /// Takes a value that counts as absent when `null`.
    #[inline(always)]
    pub(super) fn present(&mut self, room: &mut Room) -> Option<Option<RawJson<'a>>> {
        Some(Some(self.value(room)?).filter(|value| !value.is_null()))
    }

    // The loops below are written out: a closure would be compiled without the processor's features.

    /// Takes the comma or the closing byte that stands behind an item; `true` when it closes.
    #[inline(always)]
    fn closes(&mut self, close: u8) -> Option<bool> {
        let byte = *self.text.get(self.at)?;
        self.at += 1;
        if byte == close {
            return Some(true);
        }
        (byte == b',').then_some(false)
    }

    /// Takes a list of strings whose opening bracket is behind us.
    #[inline(always)]
    pub(super) fn strings(&mut self) -> Option<RawJson<'a>> {
        let start = self.at - 1;
        loop {
            self.expect(b"\"")?;
            self.text()?;
            if self.closes(b']')? {
                return Some(RawJson(&self.text[start..self.at]));
            }
        }
    }

    /// Takes a map from string to string whose opening brace is behind us.
    #[inline(always)]
    pub(super) fn string_map(&mut self) -> Option<RawJson<'a>> {
        let start = self.at - 1;
        loop {
            self.expect(b"\"")?;
            self.text()?;
            self.expect(b":\"")?;
            self.text()?;
            if self.closes(b'}')? {
                return Some(RawJson(&self.text[start..self.at]));
            }
        }
    }

    /// Takes a map from string to list of strings whose opening brace is behind us.
    #[inline(always)]
    pub(super) fn lists_map(&mut self) -> Option<RawJson<'a>> {
        let start = self.at - 1;
        loop {
            self.expect(b"\"")?;
            self.text()?;
            self.expect(b":[")?;
            self.strings()?;
            if self.closes(b'}')? {
                return Some(RawJson(&self.text[start..self.at]));
            }
        }
    }

    /// Takes a member's key, with a comma before it unless it is the object's first.
    #[inline(always)]
    pub(super) fn member(&mut self, first: usize, key: &[u8]) -> bool {
        let comma = usize::from(self.at != first);
        let rest = self.text.get(self.at..).unwrap_or_default();
        let found =
            (comma == 0 || rest.first() == Some(&b',')) && rest.get(comma..).is_some_and(|r| r.starts_with(key));
        if found {
            self.at += comma + key.len();
        }
        found
    }
}
