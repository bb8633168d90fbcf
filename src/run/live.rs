//! A run that follows logs: the same questions, answered while the logs are written.

use std::io;
use std::ops::ControlFlow;

use super::Run;
use crate::aggregate::Question;
use crate::cli::Pace;
use crate::input::follow::Follow;
use crate::render::messages;
use crate::render::screen::Screen;
use crate::render::sink::{self, Sink};
use crate::scan::Outcome;
use crate::scan::live::{Company, scan_live};

/// Writes an answer as text.
pub(super) type Paint<'p, P> = &'p mut dyn FnMut(Outcome<P>) -> Vec<u8>;

/// The person in front of the terminal, or the program behind the pipe.
struct Watcher<'w, P> {
    notes: bool,
    /// How the answer so far is written, and on how many lines it is shown.
    paint: Option<Paint<'w, P>>,
    height: Option<fn() -> usize>,
    pace: Pace,
    screen: Screen,
    sink: Sink<io::Stdout>,
    gone: bool,
}

impl<P> Company<P> for Watcher<'_, P> {
    fn hear(&mut self, file: &str, note: &str) {
        if self.notes {
            let _ = self.screen.clear(&mut self.sink);
            let _ = Sink::messages().write(messages::note(file, note).as_bytes());
        }
    }

    fn goes_on(&mut self) -> bool {
        // Whoever reads the rows may have gone without another row coming to find out.
        !self.gone && !sink::reader_is_gone()
    }

    fn wants_answer(&mut self) -> bool {
        self.paint.is_some() && self.height.is_some() && self.pace.is_due()
    }

    fn see(&mut self, so_far: Outcome<P>) {
        let (Some(paint), Some(height)) = (&mut self.paint, self.height) else { return };
        let text = paint(so_far);
        self.gone = self.screen.paint(&text, height(), &mut self.sink).is_break();
        self.pace.shown();
    }
}

impl Run {
    /// Follows the inputs until the run is stopped. Where there is a terminal to paint on, `paint`
    /// writes the answer so far.
    pub(super) fn follow<Q: Question<Partial: Clone>>(
        &self,
        question: &Q,
        paint: Option<Paint<'_, Q::Partial>>,
        emit: &mut (dyn FnMut(Q::Partial) -> ControlFlow<()> + Send),
    ) -> Outcome<Q::Partial> {
        let mut follow = Follow::start(&self.files, &self.progress.stop);
        if self.output.notes {
            self.say(&messages::left_out(&follow.skipped));
        }
        let mut watcher = Watcher {
            notes: self.output.notes,
            paint,
            height: self.output.screen,
            pace: Pace::start(),
            screen: Screen::new(),
            sink: Sink::answers(),
            gone: false,
        };
        let outcome = scan_live(&mut follow, &self.options, question, &self.progress, &mut watcher, emit);
        let _ = watcher.screen.clear(&mut watcher.sink);
        outcome
    }
}
