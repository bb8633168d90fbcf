//! Whether auditq and the others say the same.

use serde::Serialize;

use super::Fallible;
use super::answer::{Rows, Shape, first_number, records};
use super::command::Command;
use super::tasks::Plan;

/// How two answers are brought to one form.
#[derive(Clone, Copy, Debug)]
pub enum How {
    /// Rows of single events on both sides.
    Rows(Shape),
    /// Two summaries of auditq, in requests.
    Requests(Shape),
    /// The records that a summary rests on, and a count of lines.
    Records,
    /// The events that were found, and a count of lines.
    Hits,
}

/// Two commands whose answers must be the same.
pub struct Check {
    /// What is asked.
    pub task: String,
    /// Who is compared with.
    pub rival: String,
    /// auditq.
    pub mine: Command,
    /// The other.
    pub theirs: Command,
    /// What is compared.
    pub how: How,
}

/// What was found equal.
#[derive(Clone, Debug, Serialize)]
pub struct Agreed {
    /// What was asked.
    pub task: String,
    /// Who said the same.
    pub rival: String,
    /// How much was compared, such as `4212 rows`.
    pub what: String,
}

/// Compares every answer.
///
/// # Errors
///
/// When any differs or is not given; all that are wrong are told.
pub fn all(plans: &[Plan]) -> Fallible<Vec<Agreed>> {
    let (mut agreed, mut wrong) = (Vec::new(), Vec::new());
    for check in plans.iter().flat_map(|plan| &plan.checks) {
        eprintln!("checking {}: {}", check.task, check.rival);
        let (task, rival) = (check.task.clone(), check.rival.clone());
        match check.run() {
            Ok(what) => agreed.push(Agreed { task, rival, what }),
            Err(problem) => wrong.push(format!("{task}, {rival}: {problem}")),
        }
    }
    if wrong.is_empty() { Ok(agreed) } else { Err(format!("answers differ\n{}", wrong.join("\n"))) }
}

impl Check {
    fn run(&self) -> Fallible<String> {
        let (mine, theirs) = (self.mine.answer()?, self.theirs.answer()?);
        let (count, unit) = match self.how {
            How::Rows(shape) => (rows(&self.read(&mine, shape)?, &Rows::of_lines(&theirs, shape)?)?, "rows"),
            How::Requests(shape) => {
                let read = |text| Rows::of_summary(text, shape, "requests");
                (rows(&read(&mine)?, &read(&theirs)?)?, "rows")
            }
            How::Records => (count(records(&mine)?, first_number(&theirs)?)?, "lines"),
            How::Hits => (count(lines(&mine), first_number(&theirs)?)?, "lines"),
        };
        Ok(format!("{count} {unit}"))
    }

    fn read(&self, mine: &[u8], shape: Shape) -> Fallible<Rows> {
        if self.mine.arguments[0] == "summary" {
            Rows::of_summary(mine, shape, "events")
        } else {
            Rows::of_lines(mine, shape)
        }
    }
}

fn rows(mine: &Rows, theirs: &Rows) -> Fallible<u64> {
    mine.same(theirs)?;
    Ok(mine.len() as u64)
}

fn count(mine: u64, theirs: u64) -> Fallible<u64> {
    if mine == theirs { Ok(mine) } else { Err(format!("auditq {mine}, the other {theirs}")) }
}

fn lines(text: &[u8]) -> u64 {
    text.iter().filter(|&&byte| byte == b'\n').count() as u64
}
