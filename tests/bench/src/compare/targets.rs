//! What auditq promises about its speed, and whether these figures keep it.

use serde::Serialize;

use super::duel::Outcome;
use super::peers::Peer;
use super::tasks::{AUDITQ_GROUP_BY, AUDITQ_IN_TURN};

/// A promise and what was seen.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// What is compared.
    pub promise: String,
    /// The bound, with its direction.
    pub target: String,
    /// What was measured, in the same unit.
    pub measured: Option<f64>,
    /// Whether it keeps the bound; nothing if it was not measured.
    pub kept: Option<bool>,
}

/// Every promise, in the order people ask about them.
pub fn verdicts(outcomes: &[Outcome]) -> Vec<Verdict> {
    let results = Results(outcomes);
    let mut verdicts = vec![
        results.ratio("rr-group-by", Peer::Wc.name(), 1.0),
        results.ratio("metadata-group-by", Peer::Wc.name(), 1.6),
        results.ratio("metadata-rare", Peer::Wc.name(), 0.8),
        results.ratio("rr-rare", Peer::Wc.name(), 0.8),
        results.ratio("metadata-window", Peer::Wc.name(), 0.15),
        results.ratio("rr-window", Peer::Wc.name(), 0.15),
        results.ratio("metadata-latency", AUDITQ_GROUP_BY, 1.1),
        results.ratio("legacy-group-by", Peer::Wc.name(), 3.5),
        results.gzip(1.05),
        results.ratio("gzip-four", AUDITQ_IN_TURN, 0.55),
    ];
    for task in ["metadata-group-by", "metadata-rare", "metadata-window", "metadata-latency"] {
        verdicts.push(results.faster(task, &[Peer::DuckDb, Peer::ClickHouse], 3.5));
    }
    for task in ["rr-group-by", "rr-rare", "rr-window"] {
        verdicts.push(results.faster(task, &[Peer::DuckDb, Peer::ClickHouse], 5.0));
    }
    for task in ["metadata-rare", "rr-rare"] {
        verdicts.push(results.faster(task, &[Peer::Parquet], 1.0));
    }
    verdicts.push(results.jq(100.0));
    verdicts.push(results.memory(64.0));
    verdicts.push(results.start(5.0));
    verdicts
}

struct Results<'r>(&'r [Outcome]);

impl Results<'_> {
    fn of(&self, task: &str, rival: &str) -> Option<f64> {
        self.0.iter().find(|one| one.task == task && one.rival == rival)?.ratio
    }

    fn ratio(&self, task: &str, rival: &str, limit: f64) -> Verdict {
        at_most(format!("{task} ÷ {rival}"), limit, "", self.of(task, rival))
    }

    /// Against the fastest of the tools that decompress: the one with the largest ratio.
    fn gzip(&self, limit: f64) -> Verdict {
        let ratios = Peer::GUNZIPS.iter().filter_map(|peer| self.of("gzip-one", peer.name()));
        at_most("gzip-one ÷ fastest that decompresses".to_owned(), limit, "", ratios.reduce(f64::max))
    }

    /// How many times faster than the fastest of `peers`.
    fn faster(&self, task: &str, peers: &[Peer], limit: f64) -> Verdict {
        let ratios = peers.iter().filter_map(|peer| self.of(task, peer.name()));
        let names = peers.iter().map(|peer| peer.name()).collect::<Vec<_>>().join(", ");
        let promise = if peers.len() == 1 { names } else { format!("faster of {names}") };
        at_least(format!("{task}: {promise} ÷ auditq"), limit, ratios.reduce(f64::max).map(f64::recip))
    }

    fn jq(&self, limit: f64) -> Verdict {
        let ratios = self.0.iter().filter(|one| one.rival == Peer::Jq.name()).filter_map(|one| one.ratio);
        at_least("each task: jq ÷ auditq".to_owned(), limit, ratios.reduce(f64::max).map(f64::recip))
    }

    fn memory(&self, limit: f64) -> Verdict {
        let peak = self.0.iter().map(|one| one.mine.peak_bytes).max();
        at_most("peak memory of any task".to_owned(), limit, " MB", peak.map(|bytes| bytes as f64 / 1e6))
    }

    fn start(&self, limit: f64) -> Verdict {
        let alone = self.0.iter().find(|one| one.task == "version");
        at_most("version".to_owned(), limit, " ms", alone.map(|one| one.mine.seconds * 1e3))
    }
}

fn at_most(promise: String, limit: f64, unit: &str, measured: Option<f64>) -> Verdict {
    Verdict { promise, target: format!("≤ {limit}{unit}"), measured, kept: measured.map(|value| value <= limit) }
}

fn at_least(promise: String, limit: f64, measured: Option<f64>) -> Verdict {
    Verdict { promise, target: format!("≥ {limit}"), measured, kept: measured.map(|value| value >= limit) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::duel::Side;

    fn outcome(task: &str, rival: &str, ratio: f64) -> Outcome {
        let mine = Side { seconds: 0.004, cpu_seconds: 0.0, peak_bytes: 63_000_000, instructions_per_byte: None };
        let (task, rival) = (task.to_owned(), rival.to_owned());
        Outcome { task, rival, mine, theirs: None, ratio: Some(ratio), spread: None, scaled: None }
    }

    fn verdict(outcomes: &[Outcome], promise: &str) -> Verdict {
        verdicts(outcomes).into_iter().find(|one| one.promise == promise).unwrap()
    }

    #[test]
    fn the_fastest_rival_decides() {
        let seen = [outcome("rr-rare", "DuckDB", 0.1), outcome("rr-rare", "ClickHouse", 0.25)];
        let engines = verdict(&seen, "rr-rare: faster of DuckDB, ClickHouse ÷ auditq");
        assert_eq!((engines.measured, engines.kept), (Some(4.0), Some(false)));
        let seen = [outcome("gzip-one", "gzip -dc", 0.2), outcome("gzip-one", "igzip -dc", 1.04)];
        assert_eq!(verdict(&seen, "gzip-one ÷ fastest that decompresses").kept, Some(true));
    }

    #[test]
    fn what_was_not_measured_is_neither_kept_nor_broken() {
        let seen = [outcome("version", "", 0.0)];
        assert_eq!(verdict(&seen, "rr-group-by ÷ wc -l").kept, None);
        assert_eq!(verdict(&seen, "version").kept, Some(true));
        assert_eq!(verdict(&seen, "peak memory of any task").kept, Some(true));
    }
}
