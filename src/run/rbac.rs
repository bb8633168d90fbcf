//! Runs `rbac`.

use std::path::PathBuf;

use serde_json::json;

use super::Run;
use crate::aggregate::access::{Access, Asked, is_above_rbac};
use crate::aggregate::evidence::Account;
use crate::aggregate::notes::Noting;
use crate::aggregate::rbac_changes;
use crate::cli::{Form, RbacConfig, RbacForm, RbacQuestion};
use crate::event::{Event, Format, Text};
use crate::exit::Exit;
use crate::input::manifests;
use crate::query::Filter;
use crate::rbac::least::{Expand, Grant, Use, least};
use crate::rbac::unused::unused;
use crate::rbac::{Policy, Subject, User, manifest, standard};
use crate::render::answer::{AnswerFormat, json_line};
use crate::render::messages;
use crate::render::rbac::{self, Changes, LeftOut, Rules, UnusedRights};

impl Run {
    pub(super) fn rbac(&self, mut config: RbacConfig) -> Exit {
        let policy = match self.roles(&config.roles) {
            Ok(policy) => policy,
            Err(exit) => return exit,
        };
        if let Err(exit) = self.resolve_last(&mut config.filter) {
            return exit;
        }
        match config.question {
            RbacQuestion::Least { expand, denied, default, form } => {
                self.least(config, &policy, expand, Counted { denied, default }, form)
            }
            RbacQuestion::Unused(form) => self.unused(config, &policy, form),
            RbacQuestion::Changes(form) => self.changes(config.filter, form),
        }
    }

    /// The policy that manifests make.
    fn roles(&self, paths: &[PathBuf]) -> Result<Policy, Exit> {
        let failed = |message: &str| {
            self.say(&messages::wrong_roles(message));
            Exit::Usage
        };
        let (mut policy, mut others) = (Policy::default(), 0);
        for (path, text) in manifests::read(paths).map_err(|message| failed(&message))? {
            let read = manifest::read(&text).map_err(|message| failed(&format!("{path}: {message}")))?;
            policy.extend(read.policy);
            others += read.others;
        }
        if !paths.is_empty() && self.output.notes {
            self.say(&rbac::about_roles(&policy, others));
        }
        Ok(policy)
    }

    fn least(&self, config: RbacConfig, given: &Policy, expand: Expand, counted: Counted, form: RbacForm) -> Exit {
        let outcome = self.collect(&Access { filter: config.filter });
        let (mut left_out, everybody) = (LeftOut::default(), standard::policy());
        let uses = outcome.partial.finish().into_iter().filter(|one| wanted(config.users.as_ref(), &one.user));
        let uses: Vec<Use> = uses
            .filter(|one| !given.allows(&one.user, &one.request))
            .filter(|one| counts(one, config.users.is_some(), counted, &everybody, &mut left_out))
            .map(|one| Use { user: one.user.name, request: one.request, evidence: one.evidence })
            .collect();
        let mut found = least(uses, expand);
        if !config.roles.is_empty() {
            found.grants = found.grants.into_iter().map(Grant::beside_others).collect();
        }
        left_out.cannot += found.left_out;
        let nothing = match config.roles.is_empty() {
            true => "nothing that takes a role was done",
            false => "nothing was done that these roles do not grant",
        };
        let notes = left_out.notes(found.grants.is_empty().then_some(nothing));
        self.grants(found.grants, form, &notes, &outcome.account)
    }

    fn grants(&self, grants: Vec<Grant>, form: RbacForm, notes: &str, account: &Account) -> Exit {
        let mut text = Vec::new();
        match form {
            RbacForm::Table(form) => return self.give(&Rules { grants }, form, notes, account),
            RbacForm::Yaml => rbac::manifests(grants.iter().flat_map(Grant::manifests), &mut text),
            RbacForm::Json => {
                let items: Vec<_> = grants.iter().flat_map(Grant::manifests).collect();
                let list = json!({ "apiVersion": "v1", "kind": "List", "items": items });
                json_line(&list, self.output.terminal, &mut text);
            }
        }
        self.answer(&text, AnswerFormat::Json, notes, account)
    }

    fn unused(&self, config: RbacConfig, policy: &Policy, form: Form) -> Exit {
        let outcome = self.collect(&Access { filter: config.filter });
        let asked = outcome.partial.finish();
        let uses: Vec<_> = asked.iter().filter(|one| one.allowed).map(|one| (&one.user, &one.request)).collect();
        let mut rights = unused(policy, &uses);
        rights.retain(|right| is_wanted(config.users.as_ref(), right.subject, right.binding.namespace.as_deref()));
        let answer = UnusedRights { rights };
        let notes = rbac::unused_notes(&answer, policy, &outcome.account, self.output.zone);
        self.give(&answer, form, &notes, &outcome.account)
    }

    fn changes(&self, filter: Filter, form: Form) -> Exit {
        let outcome = self.collect(&Noting { filter, note: &rbac_changes::note });
        let mut changes: Vec<_> = outcome.partial.finish();
        changes.sort_by_key(|(position, change)| (change.time, *position));
        let answer = Changes { changes: changes.into_iter().map(|(_, change)| change).collect() };
        let notes = answer.notes();
        self.give(&answer, form, &notes, &outcome.account)
    }
}

/// Which requests count as use.
#[derive(Clone, Copy)]
struct Counted {
    /// Those that were refused.
    denied: bool,
    /// Those that everybody may make.
    default: bool,
}

/// Whether the rights of this user are asked about.
fn wanted(users: Option<&Filter>, user: &User) -> bool {
    let Some(users) = users else { return true };
    let mut event = Event::empty(b"{}", Format::V1);
    event.user.username = Some(Text::from(user.name.as_str()));
    users.matches(&event)
}

/// Whether the rights of this subject are asked about. Who asks about a user does not mean whole groups.
fn is_wanted(users: Option<&Filter>, subject: &Subject, namespace: Option<&str>) -> bool {
    let name = match subject {
        Subject::User(name) => name.clone(),
        Subject::ServiceAccount { namespace: own, name } => {
            format!("system:serviceaccount:{}:{name}", own.as_deref().or(namespace).unwrap_or_default())
        }
        Subject::Group(_) => return users.is_none(),
    };
    wanted(users, &User { name, ..User::default() })
}

/// Whether a right takes a role, and is asked about. What is left out is counted.
fn counts(one: &Asked, by_name: bool, counted: Counted, everybody: &Policy, left_out: &mut LeftOut) -> bool {
    let requests = one.evidence.requests;
    let above = is_above_rbac(&one.user).filter(|_| !by_name);
    let sum = if let Some(who) = above {
        left_out.above.entry(who).or_default()
    } else if !counted.default && everybody.allows(&one.user, &one.request) {
        &mut left_out.default
    } else if !one.allowed && !counted.denied {
        &mut left_out.denied
    } else {
        return true;
    };
    *sum += requests;
    false
}
