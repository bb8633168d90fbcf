//! A progress bar on standard error, when somebody is watching and the work is long.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::scan::Progress;

/// Work shorter than this shows no bar.
const PATIENCE: Duration = Duration::from_millis(700);

/// How often the bar moves.
const STEP: Duration = Duration::from_millis(100);

/// Runs `work` while a bar follows `progress`; `total` is the input's size in bytes where known.
pub fn with_bar<T>(show: bool, progress: &Progress, total: Option<u64>, work: impl FnOnce() -> T) -> T {
    if !show {
        return work();
    }
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let painter = scope.spawn(|| paint(progress, total, &done));
        let answer = work();
        done.store(true, Ordering::Relaxed);
        painter.thread().unpark();
        answer
    })
}

fn paint(progress: &Progress, total: Option<u64>, done: &AtomicBool) {
    std::thread::park_timeout(PATIENCE);
    if done.load(Ordering::Relaxed) {
        return;
    }
    let template = match total {
        Some(_) => "{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
        None => "{spinner} {bytes} {bytes_per_sec}",
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr()).with_style(style);
    while !done.load(Ordering::Relaxed) {
        bar.set_position(progress.bytes.load(Ordering::Relaxed));
        std::thread::park_timeout(STEP);
    }
    bar.finish_and_clear();
}
