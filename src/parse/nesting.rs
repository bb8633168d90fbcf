//! Whether brackets close what they opened, and whether commas and colons stand in the right kind of
//! container: found out for sixty-four of them at a time.
//!
//! What is asked for is the order of *turns*: an opening bracket, a closing one, or a mark that says "this
//! is an array" or "this is an object" of the container it stands in. Most of it vanishes without a stack:
//! a mark behind an opening bracket or another mark is compared with that, and goes; a pair of brackets
//! with nothing left between them is compared with each other, and goes. A few rounds later only what
//! reaches beyond the sixty-four is left, which a stack of one bit a level takes.

use super::simd::Isa;

/// Turns in the order they stand in, one bit each in each of four words.
#[derive(Clone, Copy, Default)]
pub(super) struct Turns {
    /// It opens a container.
    pub(super) open: u64,
    /// It closes one.
    pub(super) close: u64,
    /// It does neither, but says of which kind the innermost one is.
    pub(super) mark: u64,
    /// The container in question is an object.
    pub(super) object: u64,
}

impl Turns {
    /// Those at these places.
    #[inline(always)]
    pub(super) const fn within(self, bits: u64) -> Self {
        Turns { open: self.open & bits, close: self.close & bits, mark: self.mark & bits, object: self.object & bits }
    }

    /// Only these, without gaps.
    #[inline(always)]
    fn only<I: Isa>(self, these: u64) -> Self {
        Turns {
            open: I::extract(self.open, these),
            close: I::extract(self.close, these),
            mark: I::extract(self.mark, these),
            object: I::extract(self.object, these),
        }
    }

    #[inline(always)]
    const fn all(self) -> u64 {
        self.open | self.close | self.mark
    }
}

/// The containers that are open, and turns that are still to be matched with them.
pub(super) struct Nesting {
    /// One for an object, innermost lowest.
    stack: u64,
    waiting: Turns,
    /// How many wait.
    count: u32,
}

impl Nesting {
    /// Inside one container.
    pub(super) const fn inside(object: bool) -> Self {
        Nesting { stack: object as u64, waiting: Turns { open: 0, close: 0, mark: 0, object: 0 }, count: 0 }
    }

    /// Takes more turns, which may have gaps between them; whether all is right so far as is known. No more
    /// containers may be open at once than the stack has bits, and none of them may be closed that was open at
    /// the beginning.
    #[inline(always)]
    pub(super) fn take<I: Isa>(&mut self, turns: Turns) -> bool {
        let all = turns.all();
        let count = all.count_ones();
        if self.count + count > 63 && !self.settle::<I>() {
            return false;
        }
        let more = turns.only::<I>(all);
        self.waiting.open |= more.open << self.count;
        self.waiting.close |= more.close << self.count;
        self.waiting.mark |= more.mark << self.count;
        self.waiting.object |= more.object << self.count;
        self.count += count;
        true
    }

    /// Matches all that waits; whether it is right.
    #[inline(always)]
    pub(super) fn settle<I: Isa>(&mut self) -> bool {
        let mut wrong = self.round::<I>() | self.round::<I>();
        // Until nothing but opening brackets stands behind an opening bracket.
        while self.waiting.open & self.waiting.all() >> 1 & !(self.waiting.open >> 1) != 0 {
            wrong |= self.round::<I>();
        }
        wrong |= self.close::<I>();
        self.open::<I>();
        (self.waiting, self.count) = (Turns::default(), 0);
        wrong == 0
    }

    /// Drops marks behind what they can be compared with, and empty pairs; gives those that do not fit.
    #[inline(always)]
    fn round<I: Isa>(&mut self) -> u64 {
        let turns = self.waiting;
        let told = turns.mark & (turns.open | turns.mark) << 1;
        let wrong = told & (turns.object ^ turns.object << 1);
        let left = turns.only::<I>(turns.all() & !told);
        let pairs = left.open & left.close >> 1;
        self.waiting = left.only::<I>(left.all() & !(pairs | pairs << 1));
        wrong | pairs & (left.object ^ left.object >> 1)
    }

    /// Closes what was open before; gives what does not fit.
    #[inline(always)]
    fn close<I: Isa>(&mut self) -> u64 {
        let turns = self.waiting;
        let told = turns.mark & (turns.open | turns.mark) << 1;
        let wrong = told & (turns.object ^ turns.object << 1);
        // The first of all may be a mark, and then one may stand behind each closing bracket.
        let first = turns.mark & 1 & (turns.object ^ self.stack);
        let closed = I::extract(turns.object, turns.close) ^ self.stack;
        let marks = turns.mark & !told;
        let told = I::extract(marks >> 1, turns.close) & (I::extract(turns.object >> 1, turns.close) ^ self.stack >> 1);
        let count = turns.close.count_ones();
        self.stack = self.stack.checked_shr(count).unwrap_or(0);
        wrong | first | told | closed & !u64::MAX.checked_shl(count).unwrap_or(0)
    }

    /// Opens what stays open.
    #[inline(always)]
    fn open<I: Isa>(&mut self) {
        let count = self.waiting.open.count_ones();
        let opened = I::extract(self.waiting.object, self.waiting.open).reverse_bits();
        self.stack = self.stack.checked_shl(count).unwrap_or(0) | opened.checked_shr(64 - count).unwrap_or(0);
    }
}
