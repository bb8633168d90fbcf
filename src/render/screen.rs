//! An answer that is painted again and again at the same place of a terminal.
//!
//! Only the lines painted before are painted over, so what stood above them stays. Lines that are too
//! long are cut by the terminal, which is told not to wrap them, and lines that do not fit are counted.

use std::io;
use std::ops::ControlFlow;

use super::sink::Sink;

/// Begins at the start of a line; long lines are cut.
const NO_WRAP: &[u8] = b"\x1b[?7l";
const WRAP: &[u8] = b"\x1b[?7h";
/// Clears the rest of the line, and everything below.
const CLEAR_LINE: &[u8] = b"\x1b[K";
const CLEAR_BELOW: &[u8] = b"\x1b[J";

/// The place on the terminal.
pub struct Screen {
    /// How many lines are painted.
    lines: usize,
}

impl Screen {
    /// Nothing is painted yet.
    pub const fn new() -> Self {
        Screen { lines: 0 }
    }

    /// Paints a text of whole lines where the one before stood, on a terminal of so many lines.
    pub fn paint(&mut self, text: &[u8], height: usize, sink: &mut Sink<io::Stdout>) -> ControlFlow<()> {
        let painted = self.frame(text, height);
        sink.write(&painted)
    }

    /// Removes what is painted.
    pub fn clear(&mut self, sink: &mut Sink<io::Stdout>) -> ControlFlow<()> {
        let mut out = self.up();
        if !out.is_empty() {
            out.extend_from_slice(CLEAR_BELOW);
        }
        self.lines = 0;
        sink.write(&out)
    }

    /// Back to the first painted line.
    fn up(&self) -> Vec<u8> {
        if self.lines == 0 { Vec::new() } else { format!("\x1b[{}A\r", self.lines).into_bytes() }
    }

    fn frame(&mut self, text: &[u8], height: usize) -> Vec<u8> {
        let mut out = self.up();
        out.extend_from_slice(NO_WRAP);
        let all: Vec<&[u8]> = text.split_inclusive(|&byte| byte == b'\n').collect();
        // The cursor stands on the line behind the last.
        let room = height.saturating_sub(1).max(1);
        let shown = if all.len() > room { room - 1 } else { all.len() };
        for line in &all[..shown] {
            out.extend_from_slice(line.strip_suffix(b"\n").unwrap_or(line));
            out.extend_from_slice(CLEAR_LINE);
            out.push(b'\n');
        }
        if shown < all.len() {
            out.extend_from_slice(format!("… {} more lines", all.len() - shown).as_bytes());
            out.extend_from_slice(CLEAR_LINE);
            out.push(b'\n');
        }
        out.extend_from_slice(CLEAR_BELOW);
        out.extend_from_slice(WRAP);
        self.lines = all.len().min(room);
        out
    }
}

impl Default for Screen {
    fn default() -> Self {
        Screen::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(screen: &mut Screen, text: &str, height: usize) -> String {
        String::from_utf8(screen.frame(text.as_bytes(), height)).expect("text")
    }

    #[test]
    fn the_next_picture_covers_the_last() {
        let mut screen = Screen::new();
        assert_eq!(frame(&mut screen, "one\ntwo\n", 10), "\u{1b}[?7lone\u{1b}[K\ntwo\u{1b}[K\n\u{1b}[J\u{1b}[?7h");
        assert_eq!(frame(&mut screen, "1\n", 10), "\u{1b}[2A\r\u{1b}[?7l1\u{1b}[K\n\u{1b}[J\u{1b}[?7h");
        assert_eq!(screen.up(), b"\x1b[1A\r");
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let mut screen = Screen::new();
        let painted = frame(&mut screen, "1\n2\n3\n4\n5\n", 4);
        assert_eq!(painted, "\u{1b}[?7l1\u{1b}[K\n2\u{1b}[K\n… 3 more lines\u{1b}[K\n\u{1b}[J\u{1b}[?7h");
        assert_eq!(screen.lines, 3, "one line is left for the cursor");
        for height in 0..4 {
            let painted = frame(&mut screen, "1\n2\n3\n4\n5\n", height);
            assert!(painted.matches('\n').count() < height.max(2));
        }
    }
}
