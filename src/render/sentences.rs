//! What the overview says in plain sentences: what dominates, and what stands out.

use std::fmt::Write as _;

use super::human::{self, TimeZoneChoice, number, percent};
use super::sanitize::{bounded, bytes_for_terminal};
use super::summary::noun;
use crate::aggregate::overview::incidents::{Failures, HotLoop, Rate, Refused, Spike, Stretch};
use crate::aggregate::overview::{Dominant, OverviewAnswer};
use crate::scan::Unit;

/// Everything there is to say, the first sentence about the whole.
pub fn sentences(unit: Unit, answer: &OverviewAnswer, zone: TimeZoneChoice) -> Vec<String> {
    let found = &answer.incidents;
    let mut sentences = vec![sentence(unit, answer)];
    sentences.extend(found.spike.as_ref().map(|spike| rise(unit, spike, zone)));
    sentences.extend(found.refused.as_ref().map(|refused| refusals(refused, zone)));
    sentences.extend(found.failures.iter().map(|failures| failed(unit, failures, zone)));
    sentences.extend(found.hot_loop.as_ref().map(|hot_loop| over_and_over(hot_loop, zone)));
    sentences
}

/// The sentence that names what dominates.
pub fn sentence(unit: Unit, answer: &OverviewAnswer) -> String {
    let Some(dominant) = &answer.dominant else { return format!("No {} to speak of.", noun(unit)) };
    let total = answer.total.count;
    let who = who(dominant.user.as_deref());
    if dominant.requests * 5 < total {
        let users = answer.ranks.first().map_or(0, Vec::len);
        return format!(
            "Nothing dominates: of {} users the busiest, {who}, made {} of {}.",
            number(users as u64),
            percent(dominant.requests, total),
            noun(unit)
        );
    }
    let parts: Vec<String> = traits(dominant).collect();
    let made = if dominant.user.is_some() { "made" } else { "are" };
    let of_all = if dominant.user.is_some() { noun(unit) } else { "the log" };
    format!("{who} {made} {} of {of_all}{}.", percent(dominant.requests, total), joined(&parts))
}

fn joined(parts: &[String]) -> String {
    if parts.is_empty() { String::new() } else { format!("; {}", parts.join(", ")) }
}

/// What most of the dominant user's requests have in common.
fn traits(dominant: &Dominant) -> impl Iterator<Item = String> {
    let most = |value: &Option<(Vec<u8>, u64)>| value.clone().filter(|(_, count)| count * 2 >= dominant.requests);
    let share = |count| percent(count, dominant.requests);
    let verb = most(&dominant.verb).map(|(verb, count)| format!("{} of them {}", share(count), word(&verb)));
    let resource = most(&dominant.resource).map(|(resource, count)| format!("{} on {}", share(count), word(&resource)));
    let code = most(&dominant.code).map(|(code, count)| format!("{} answered {}", share(count), word(&code)));
    [verb, resource, code].into_iter().flatten()
}

/// `Requests rose from 20/s to 310/s between … and …; 92% of the rise is …`
fn rise(unit: Unit, spike: &Spike, zone: TimeZoneChoice) -> String {
    let noun = if unit == Unit::Request { "Requests" } else { "Events" };
    let per = Per::of(spike.inside);
    let before = if tenths(spike.outside, per) == 0 { Per::of(spike.outside) } else { per };
    let (outside, inside) = (rate(spike.outside, before), rate(spike.inside, per));
    let [since, until] = [spike.stretch.since, spike.stretch.until].map(|time| human::time_seconds(time, zone));
    let mut text = format!("{noun} rose from {outside} to {inside} between {since} and {until}");
    if !spike.cause.is_empty() {
        let values: Vec<String> =
            spike.cause.iter().map(|(_, value)| value.as_deref().map_or("<none>".to_owned(), word)).collect();
        let _ = write!(text, "; {} of the rise is {}", percent(spike.share, 1000), values.join(", "));
    }
    text + "."
}

/// `… was refused 163 times (403), 16/min from … to …; mostly list, of 16 resources.`
fn refusals(refused: &Refused, zone: TimeZoneChoice) -> String {
    let requests = &refused.requests;
    let inside = Rate { count: refused.inside, length: refused.stretch.length() };
    let mut text = format!(
        "{} was refused {} times (403), {}{} {}",
        one(requests.user.as_deref()),
        number(requests.requests),
        if refused.inside == requests.requests {
            String::new()
        } else {
            format!("{} of them at ", number(refused.inside))
        },
        rate(inside, Per::of(inside)),
        span(refused.stretch, zone)
    );
    if let Some((verb, count)) = &requests.verb {
        let _ = write!(text, "; {} {}", percent(*count, requests.requests), word(verb));
    }
    match &requests.resource {
        Some((resource, count)) if count * 2 >= requests.requests => {
            let _ = write!(text, ", {} on {}", percent(*count, requests.requests), word(resource));
        }
        _ => {
            let _ = write!(text, ", on {}", human::counted(refused.resources as u64, "resource"));
        }
    }
    match refused.others {
        0 => {}
        1 => text += "; one other user is refused too",
        others => {
            let _ = write!(text, "; {} other users are refused too", number(others as u64));
        }
    }
    text + "."
}

/// `42 requests failed (503, 500), 38% of all from … to …; most of them of ….`
fn failed(unit: Unit, failures: &Failures, zone: TimeZoneChoice) -> String {
    let codes: Vec<String> = failures.codes.iter().take(CODES).map(|(code, _)| word(code)).collect();
    let what = if failures.throttled { "were turned away" } else { "failed" };
    let (user, count) = &failures.user;
    let most = (count * 2 >= failures.count)
        .then(|| format!("; {} of them of {}", percent(*count, failures.count), whose(user.as_deref())));
    let (share, span) = (percent(failures.inside, failures.all), span(failures.stretch, zone));
    let when = match failures.inside == failures.count {
        true => format!("{share} of all {span}"),
        false => format!("{} of them {span}, {share} of all then", number(failures.inside)),
    };
    format!(
        "{} {} {what} ({}), {when}{}.",
        number(failures.count),
        noun(unit),
        codes.join(", "),
        most.unwrap_or_default()
    )
}

/// `… updates configmaps/x in namespace y over and over: 300 times from … to …, every 1.2s on average.`
fn over_and_over(hot_loop: &HotLoop, zone: TimeZoneChoice) -> String {
    let (first, last) = hot_loop.times;
    let between = last.0.saturating_sub(first.0) / (hot_loop.count as i64 - 1).max(1);
    let value = |value: &Option<Vec<u8>>| value.as_deref().map_or("<none>".to_owned(), word);
    let place = hot_loop.namespace.as_deref().map_or(String::new(), |name| format!(" in namespace {}", word(name)));
    format!(
        "{} wrote {}/{}{place} {} times ({}) {}, every {} on average.",
        one(hot_loop.user.as_deref()),
        value(&hot_loop.resource),
        word(&hot_loop.name),
        number(hot_loop.count),
        value(&hot_loop.verb),
        span(Stretch { since: first, until: last }, zone),
        human::duration(between / TENTH * TENTH)
    )
}

/// So many codes are told by number.
const CODES: usize = 4;

const SECOND: i64 = 1_000_000_000;

/// Averages are told to the tenth of a second.
const TENTH: i64 = SECOND / 10;

fn span(stretch: Stretch, zone: TimeZoneChoice) -> String {
    let shown = |time| human::time_seconds(time, zone);
    format!("from {} to {}", shown(stretch.since), shown(stretch.until))
}

/// What a rate is told per.
#[derive(Clone, Copy)]
struct Per(i64, &'static str);

impl Per {
    const ALL: [Per; 4] =
        [Per(SECOND, "s"), Per(60 * SECOND, "min"), Per(3600 * SECOND, "hour"), Per(86_400 * SECOND, "day")];

    /// The shortest in which there is one at least, else the longest.
    fn of(rate: Rate) -> Per {
        Per::ALL.into_iter().find(|per| tenths(rate, *per) >= 10).unwrap_or(Per::ALL[3])
    }
}

fn tenths(rate: Rate, per: Per) -> u64 {
    let tenths = i128::from(rate.count) * i128::from(per.0) * 10 / i128::from(rate.length.max(1));
    u64::try_from(tenths).unwrap_or(u64::MAX)
}

/// `310/s`, `4.5/s`, `16/min`.
fn rate(rate: Rate, per: Per) -> String {
    match (tenths(rate, per), per.1) {
        (0, name) if rate.count > 0 => format!("less than 0.1/{name}"),
        (tenths, name) if tenths < 100 => format!("{}.{}/{name}", tenths / 10, tenths % 10),
        (tenths, name) => format!("{}/{name}", number((tenths + 5) / 10)),
    }
}

fn who(user: Option<&[u8]>) -> String {
    user.map_or("Requests without a user".to_owned(), |user| bounded(&bytes_for_terminal(user), 120).into_owned())
}

/// Who made single requests.
fn one(user: Option<&[u8]>) -> String {
    user.map_or("A client without a user".to_owned(), |user| who(Some(user)))
}

fn whose(user: Option<&[u8]>) -> String {
    user.map_or("no user".to_owned(), |user| bounded(&bytes_for_terminal(user), 120).into_owned())
}

fn word(value: &[u8]) -> String {
    bounded(&bytes_for_terminal(value), 60).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Timestamp;

    #[test]
    fn rates_are_read_easily() {
        let of = |count, seconds| {
            let own = Rate { count, length: seconds * SECOND };
            rate(own, Per::of(own))
        };
        assert_eq!(of(3100, 10), "310/s");
        assert_eq!(of(45, 10), "4.5/s");
        assert_eq!(of(163, 600), "16/min");
        assert_eq!(of(12_345, 1), "12,345/s");
        assert_eq!(of(30, 86_400), "1.2/hour");
        assert_eq!(of(30, 5 * 86_400), "6.0/day");
        assert_eq!(of(1, 20 * 86_400), "less than 0.1/day");
    }

    #[test]
    fn outliers_are_not_counted_into_a_stretch() {
        let stretch = Stretch { since: Timestamp(0), until: Timestamp(9 * SECOND) };
        let user = (Some(b"bob".to_vec()), 100);
        let codes = vec![(b"503".to_vec(), 100)];
        let of = |inside| Failures {
            throttled: false,
            count: 100,
            codes: codes.clone(),
            stretch,
            inside,
            all: 100,
            user: user.clone(),
        };
        assert_eq!(
            failed(Unit::Request, &of(90), TimeZoneChoice::Utc),
            "100 requests failed (503), 90 of them from 1970-01-01T00:00:00Z to 1970-01-01T00:00:09Z, 90% of all then; \
             100% of them of bob."
        );
        assert!(failed(Unit::Request, &of(100), TimeZoneChoice::Utc).contains("(503), 100% of all from "));
    }

    #[test]
    fn a_loop_tells_how_often() {
        let times = (Timestamp(0), Timestamp(360 * SECOND));
        let text = |text: &str| Some(text.as_bytes().to_vec());
        let (user, verb, resource, namespace) = (text("a\x1b[31m"), text("update"), text("configmaps"), text("y"));
        let hot_loop = HotLoop { user, verb, resource, namespace, name: b"x".to_vec(), count: 301, times };
        assert_eq!(
            over_and_over(&hot_loop, TimeZoneChoice::Utc),
            "a\\x1b[31m wrote configmaps/x in namespace y 301 times (update) from 1970-01-01T00:00:00Z to \
             1970-01-01T00:06:00Z, every 1.2s on average."
        );
    }
}
