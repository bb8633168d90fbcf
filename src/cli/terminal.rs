//! What is known of the terminal: whether it takes colours, and whether it can be painted over.

use std::io::IsTerminal;

use clap::ColorChoice;

/// Whether to colour: as told, else on a terminal where `NO_COLOR` is not set.
pub(super) fn wants_color(choice: ColorChoice) -> bool {
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => {
            std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        }
    }
}

/// Whether standard output is a terminal that can paint over what it shows.
pub(super) fn paints() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("TERM").is_some_and(|kind| kind != "dumb" && !kind.is_empty())
}

/// How many lines the terminal has.
pub(super) fn screen_height() -> usize {
    let usual = 24;
    rustix::termios::tcgetwinsize(std::io::stdout()).map_or(usual, |size| match size.ws_row {
        0 => usual,
        lines => usize::from(lines),
    })
}
