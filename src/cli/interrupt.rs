//! What an interrupt means: the first one ends reading, and the answer so far is given; a second one
//! ends the program at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

/// What follows the first interrupt so closely is the same one: `timeout`, for one, sends it to the
/// program and to its group.
const ECHO: Duration = Duration::from_millis(200);

/// Sets the flag at the first interrupt.
///
/// # Errors
/// Fails when the system does not let signals be handled.
pub fn stop_on_interrupt(stop: &Arc<AtomicBool>) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let stop = Arc::clone(stop);
    thread::Builder::new().name("interrupt".to_owned()).spawn(move || {
        let mut first = None;
        for signal in signals.forever() {
            if first.get_or_insert_with(Instant::now).elapsed() >= ECHO {
                let _ = emulate_default_handler(signal);
            }
            stop.store(true, Ordering::Relaxed);
        }
    })?;
    Ok(())
}
