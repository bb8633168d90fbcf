//! When it is time to show an answer again. The clock decides only that, never the answer.

use std::time::{Duration, Instant};

/// An answer is not shown more often.
const LEAST: Duration = Duration::from_secs(1);

/// And at most this part of the time is spent on it.
const PART: u32 = 10;

/// The time between two pictures of an answer.
pub struct Pace {
    next: Instant,
    begun: Instant,
}

impl Pace {
    /// The first picture may be shown at once.
    pub fn start() -> Self {
        let now = Instant::now();
        Pace { next: now, begun: now }
    }

    /// Whether it is time; then work on the picture begins.
    pub fn is_due(&mut self) -> bool {
        self.begun = Instant::now();
        self.begun >= self.next
    }

    /// The picture has been shown.
    pub fn shown(&mut self) {
        let now = Instant::now();
        self.next = now + LEAST.max((now - self.begun) * PART);
    }
}
