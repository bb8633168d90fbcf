//! Which groups come first.

use std::cmp::Reverse;

use super::Group;
use crate::aggregate::stats::Stats;

/// What groups are sorted by: the largest first, then most requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Order {
    /// Requests.
    #[default]
    Requests,
    /// Bytes of their events.
    Size,
    /// The median latency.
    P50,
    /// The latency nine of ten do not exceed.
    P90,
    /// The latency 99 of 100 do not exceed.
    P99,
    /// The longest latency.
    Max,
}

const ORDERS: [(&str, Order); 6] = [
    ("requests", Order::Requests),
    ("size", Order::Size),
    ("p50", Order::P50),
    ("p90", Order::P90),
    ("p99", Order::P99),
    ("max", Order::Max),
];

impl Order {
    /// The order of that name.
    pub fn parse(word: &str) -> Option<Self> {
        ORDERS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|&(_, order)| order)
    }

    /// All names, for messages.
    pub fn names() -> impl Iterator<Item = &'static str> {
        ORDERS.iter().map(|&(name, _)| name)
    }

    /// Sorts groups that have most requests first.
    pub fn sort(self, groups: &mut [Group]) {
        let weight = |stats: &Stats| {
            let latency = stats.latency.summary();
            match self {
                Order::Requests => Some(stats.count),
                Order::Size => Some(stats.bytes),
                Order::P50 => latency.map(|latency| latency.p50),
                Order::P90 => latency.map(|latency| latency.p90),
                Order::P99 => latency.map(|latency| latency.p99),
                Order::Max => latency.map(|latency| latency.max),
            }
        };
        if self != Order::Requests {
            groups.sort_by_cached_key(|(_, stats)| Reverse(weight(stats)));
        }
    }
}
