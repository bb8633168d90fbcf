//! `query` with `--context`: matches with the requests around them.

use std::io::Stdout;
use std::ops::ControlFlow;

use super::Run;
use crate::aggregate::context::{InContext, Piece, Reach, Surroundings};
use crate::aggregate::rows::WriteRow;
use crate::cli::QueryConfig;
use crate::exit::Exit;
use crate::render::RowFormat;
use crate::render::color::headline;
use crate::render::sink::Sink;

impl Run {
    /// Prints matches and their neighbours.
    pub(super) fn in_context(
        &self,
        reach: Reach,
        config: &QueryConfig,
        write: Box<WriteRow>,
        mut sink: Sink<Stdout>,
    ) -> Exit {
        let mut around = Surroundings::new(reach, config.limit);
        let lines = matches!(config.format, RowFormat::Table | RowFormat::Wide | RowFormat::CustomColumns(_));
        // In colour matches are told from their neighbours.
        let color = self.output.color && lines;
        let question = InContext { filter: config.filter.clone(), write };
        let outcome = self.scan(&question, &mut |partial| {
            let mut text = Vec::new();
            around.take(partial, &mut |piece| match piece {
                Piece::Gap if lines => text.extend_from_slice(b"--\n"),
                Piece::Gap => {}
                Piece::Match(row) => text.extend_from_slice(&headline(row, color)),
                Piece::Neighbour(row) => text.extend_from_slice(row),
            });
            if sink.write(&text).is_break() || around.is_done() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        if !outcome.account.nothing_read() {
            let _ = sink.release();
        }
        let exit = self.conclude(&outcome.account, sink.failure());
        if exit == Exit::Complete && config.exit_status && around.matched() == 0 { Exit::No } else { exit }
    }
}
