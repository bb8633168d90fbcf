//! Two contenders, timed in turn.
//!
//! A B A B rather than A A B B: whatever else the machine does meets both. Each pair gives a ratio,
//! and the median of the ratios is what is told. Before them both run once, so that the files are in
//! memory and nothing waits for a disk.

use serde::Serialize;

use super::Fallible;
use super::command::Command;
use super::measure::Measured;

/// Starting takes so little that many runs are needed to say how little.
const RUNS_ALONE: usize = 21;

/// Who runs against whom.
pub struct Duel {
    task: String,
    rival: String,
    /// Bytes of the log that auditq reads, decompressed.
    bytes: u64,
    mine: Vec<Command>,
    /// None, where auditq runs alone.
    theirs: Vec<Command>,
    /// Bytes of the log that the rival reads; its time is scaled if they are fewer.
    pub rival_bytes: u64,
}

/// One side of a result.
#[derive(Clone, Debug, Serialize)]
pub struct Side {
    /// Median elapsed time, scaled to the whole log.
    pub seconds: f64,
    /// Median processor time, scaled likewise.
    pub cpu_seconds: f64,
    /// Most memory held in any run.
    pub peak_bytes: u64,
    /// Instructions in user space per byte of the log.
    pub instructions_per_byte: Option<f64>,
}

/// What came of a duel.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// What was asked.
    pub task: String,
    /// Who else was asked; empty where auditq ran alone.
    pub rival: String,
    /// auditq.
    pub mine: Side,
    /// The other.
    pub theirs: Option<Side>,
    /// Median of auditq's time over the other's.
    pub ratio: Option<f64>,
    /// The least and the largest of these ratios.
    pub spread: Option<(f64, f64)>,
    /// By how much the other's time was scaled, if it read a smaller log.
    pub scaled: Option<f64>,
}

impl Duel {
    /// A duel over a log of `bytes` bytes.
    pub fn new(task: &str, rival: &str, bytes: u64, mine: Vec<Command>, theirs: Vec<Command>) -> Duel {
        Duel { task: task.to_owned(), rival: rival.to_owned(), bytes, mine, theirs, rival_bytes: bytes }
    }

    /// Runs it: once to warm up and count instructions, then `runs` pairs.
    ///
    /// # Errors
    ///
    /// When a command fails.
    pub fn fight(&self, runs: usize, perf: bool) -> Fallible<Outcome> {
        eprintln!("timing {}: {}", self.task, if self.rival.is_empty() { "alone" } else { &self.rival });
        let warm = [warm(&self.mine, perf)?, warm(&self.theirs, perf)?];
        let (mut mine, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..if self.theirs.is_empty() { runs.max(RUNS_ALONE) } else { runs } {
            mine.push(total(&self.mine)?);
            if !self.theirs.is_empty() {
                theirs.push(total(&self.theirs)?);
            }
        }
        Ok(self.outcome(&mine, &theirs, warm))
    }

    fn outcome(&self, mine: &[Measured], theirs: &[Measured], [mine_warm, theirs_warm]: [Option<u64>; 2]) -> Outcome {
        let scale = if self.rival_bytes == 0 { 1.0 } else { self.bytes as f64 / self.rival_bytes as f64 };
        let ratios: Vec<f64> = mine.iter().zip(theirs).map(|(a, b)| a.seconds / (b.seconds * scale)).collect();
        let spread = ratios.iter().copied().reduce(f64::min).zip(ratios.iter().copied().reduce(f64::max));
        Outcome {
            task: self.task.clone(),
            rival: self.rival.clone(),
            mine: side(mine, 1.0, mine_warm, self.bytes),
            theirs: (!theirs.is_empty()).then(|| side(theirs, scale, theirs_warm, self.rival_bytes)),
            ratio: (!ratios.is_empty()).then(|| median(ratios)),
            spread,
            scaled: (self.rival_bytes < self.bytes).then_some(scale),
        }
    }
}

/// Runs each command untimed; the instructions of all, if they can be counted.
fn warm(commands: &[Command], perf: bool) -> Fallible<Option<u64>> {
    if perf {
        return Ok(commands.iter().map(Command::instructions).sum());
    }
    total(commands).map(|_| None)
}

/// Commands one after the other, as one: times add up, memory does not.
fn total(commands: &[Command]) -> Fallible<Measured> {
    let mut sum = Measured { seconds: 0.0, cpu_seconds: 0.0, peak_bytes: 0 };
    for command in commands {
        let one = command.measure()?;
        sum.seconds += one.seconds;
        sum.cpu_seconds += one.cpu_seconds;
        sum.peak_bytes = sum.peak_bytes.max(one.peak_bytes);
    }
    Ok(sum)
}

fn side(runs: &[Measured], scale: f64, instructions: Option<u64>, bytes: u64) -> Side {
    let middle = |of: fn(&Measured) -> f64| median(runs.iter().map(of).collect()) * scale;
    Side {
        seconds: middle(|run| run.seconds),
        cpu_seconds: middle(|run| run.cpu_seconds),
        peak_bytes: runs.iter().map(|run| run.peak_bytes).max().unwrap_or_default(),
        instructions_per_byte: instructions.filter(|_| bytes > 0).map(|count| count as f64 / bytes as f64),
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    if values.len() % 2 == 1 { values[half] } else { (values[half - 1] + values[half]) / 2.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn took(seconds: f64, peak_bytes: u64) -> Measured {
        Measured { seconds, cpu_seconds: seconds, peak_bytes }
    }

    #[test]
    fn the_ratio_is_the_median_of_pairs_not_of_times() {
        let duel = Duel::new("task", "peer", 100, Vec::new(), Vec::new());
        let mine = [took(1.0, 5), took(4.0, 9), took(2.0, 7)];
        let theirs = [took(2.0, 1), took(4.0, 1), took(5.0, 1)];
        let outcome = duel.outcome(&mine, &theirs, [Some(300), None]);
        assert_eq!(outcome.ratio, Some(0.5));
        assert_eq!(outcome.spread, Some((0.4, 1.0)));
        assert_eq!((outcome.mine.seconds, outcome.mine.peak_bytes), (2.0, 9));
        assert_eq!(outcome.mine.instructions_per_byte, Some(3.0));
    }

    #[test]
    fn a_rival_that_reads_a_tenth_is_scaled() {
        let duel = Duel { rival_bytes: 10, ..Duel::new("task", "peer", 100, Vec::new(), Vec::new()) };
        let outcome = duel.outcome(&[took(1.0, 0)], &[took(2.0, 0)], [None, None]);
        assert_eq!((outcome.ratio, outcome.scaled), (Some(0.05), Some(10.0)));
        assert_eq!(outcome.theirs.unwrap().seconds, 20.0);
    }
}
