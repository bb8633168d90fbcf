//! `rbac`: flags as typed, and the checked configuration they make.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::answer::{AnswerArgs, Form, LogArgs};
use super::args::FilterArgs;
use super::config::{Command, Config, bad_value, format};
use super::filter::filter;
use crate::query::Filter;
use crate::rbac::least::Expand;
use crate::render::answer::AnswerFormat;

pub(super) const RBAC_EXAMPLES: &str = "\
Examples:
  auditq rbac generate --user alice@example.com audit.log        the least roles that allow what she did
  auditq rbac generate --serviceaccount shop:web audit.log | kubectl apply -f -
  auditq rbac missing --roles deploy/rbac/ audit.log             what was used and these roles do not grant
  auditq rbac unused --roles deploy/rbac/ audit.log              what these roles grant and nobody used
  auditq rbac changes audit.log                                  who changed roles and bindings";

#[derive(Args, Debug)]
pub(super) struct RbacArgs {
    #[command(subcommand)]
    question: Question,
}

#[derive(Subcommand, Debug)]
enum Question {
    /// The least roles and bindings that allow what was used, as manifests
    Generate(GenerateArgs),
    /// What was used and given roles do not grant, as manifests
    Missing(MissingArgs),
    /// What given roles grant and nobody used
    Unused(UnusedArgs),
    /// Who changed roles and bindings, and what they then granted
    Changes(ChangesArgs),
}

#[derive(Args, Debug)]
struct UserArgs {
    /// A service account: the same as --user system:serviceaccount:NAMESPACE:NAME
    #[arg(long, visible_alias = "sa", value_name = "NAMESPACE:NAME")]
    serviceaccount: Vec<String>,
}

#[derive(Args, Debug)]
struct LeastArgs {
    #[command(flatten)]
    users: UserArgs,
    /// Count refused requests too
    #[arg(long)]
    include_denied: bool,
    /// Count requests that every cluster allows everybody: discovery, and questions about oneself
    #[arg(long)]
    include_default: bool,
    /// Where objects of several names were used, allow all of the type
    #[arg(long)]
    expand_names: bool,
    /// Where several namespaces were used, allow all namespaces
    #[arg(long)]
    expand_namespaces: bool,
    /// With one of get, list and watch allow all three; with one of update and patch allow both, and get
    #[arg(long)]
    expand_verbs: bool,
    /// Output format: yaml, json (a List), table, wide, csv
    #[arg(short, long, default_value = "yaml", value_name = "FORMAT", help_heading = "Output")]
    output: String,
    /// Leave out the header row
    #[arg(long, help_heading = "Output")]
    no_headers: bool,
}

#[derive(Args, Debug)]
struct GenerateArgs {
    #[command(flatten)]
    log: LogArgs,
    #[command(flatten)]
    least: LeastArgs,
}

#[derive(Args, Debug)]
struct MissingArgs {
    #[command(flatten)]
    log: LogArgs,
    #[command(flatten)]
    least: LeastArgs,
    /// Manifests of roles and bindings: files, or directories of *.yaml, *.yml and *.json; may be given twice
    #[arg(long, value_name = "PATH", required = true)]
    roles: Vec<PathBuf>,
}

#[derive(Args, Debug)]
struct UnusedArgs {
    #[command(flatten)]
    log: LogArgs,
    #[command(flatten)]
    users: UserArgs,
    /// Manifests of roles and bindings: files, or directories of *.yaml, *.yml and *.json; may be given twice
    #[arg(long, value_name = "PATH", required = true)]
    roles: Vec<PathBuf>,
    #[command(flatten)]
    answer: AnswerArgs,
}

#[derive(Args, Debug)]
struct ChangesArgs {
    #[command(flatten)]
    log: LogArgs,
    #[command(flatten)]
    answer: AnswerArgs,
}

/// What `rbac` was asked.
pub struct RbacConfig {
    /// Which requests.
    pub filter: Filter,
    /// Whose rights, by user name; none is everybody's.
    pub users: Option<Filter>,
    /// Manifests.
    pub roles: Vec<PathBuf>,
    /// The question.
    pub question: RbacQuestion,
}

/// The questions of `rbac`.
#[derive(Clone, Copy, Debug)]
pub enum RbacQuestion {
    /// The least roles, without what given ones grant if there are any.
    Least {
        /// How far rights are widened.
        expand: Expand,
        /// Whether refused requests count.
        denied: bool,
        /// Whether what everybody may do counts.
        default: bool,
        /// How it is printed.
        form: RbacForm,
    },
    /// What given roles grant in vain.
    Unused(Form),
    /// Who changed them.
    Changes(Form),
}

/// How roles are printed.
#[derive(Clone, Copy, Debug)]
pub enum RbacForm {
    /// YAML documents.
    Yaml,
    /// A `List`.
    Json,
    /// A table of rules.
    Table(Form),
}

pub(super) fn rbac(args: RbacArgs) -> Result<Config, String> {
    match args.question {
        Question::Generate(args) => least(args.log, args.least, Vec::new()),
        Question::Missing(args) => least(args.log, args.least, args.roles),
        Question::Unused(args) => {
            let form = args.answer.resolve()?;
            config(args.log, &args.users, args.roles, RbacQuestion::Unused(form))
        }
        Question::Changes(args) => {
            let question = RbacQuestion::Changes(args.answer.resolve()?);
            args.log.resolve(|filter| Ok(command(filter, None, Vec::new(), question)))
        }
    }
}

fn least(log: LogArgs, args: LeastArgs, roles: Vec<PathBuf>) -> Result<Config, String> {
    let question = RbacQuestion::Least {
        expand: Expand { names: args.expand_names, namespaces: args.expand_namespaces, verbs: args.expand_verbs },
        denied: args.include_denied,
        default: args.include_default,
        form: form(&args.output, !args.no_headers)?,
    };
    config(log, &args.users, roles, question)
}

fn form(output: &str, headers: bool) -> Result<RbacForm, String> {
    let known = [
        ("yaml", AnswerFormat::Json),
        ("json", AnswerFormat::Json),
        ("table", AnswerFormat::Table),
        ("wide", AnswerFormat::Wide),
        ("csv", AnswerFormat::Csv),
    ];
    let format = format(output, &known)?;
    Ok(match output {
        "yaml" => RbacForm::Yaml,
        "json" => RbacForm::Json,
        _ => RbacForm::Table(Form { format, headers }),
    })
}

/// `--user` is about whose rights count, which is not who sent the request where somebody acts as another.
fn config(mut log: LogArgs, users: &UserArgs, roles: Vec<PathBuf>, question: RbacQuestion) -> Result<Config, String> {
    let mut names = std::mem::take(&mut log.filter.user);
    for account in &users.serviceaccount {
        let known = account.split_once(':').filter(|(namespace, name)| !namespace.is_empty() && !name.is_empty());
        known.ok_or_else(|| bad_value("--serviceaccount", account, "namespace and name: shop:web"))?;
        names.push(format!("system:serviceaccount:{account}"));
    }
    let whose = match names.is_empty() {
        true => None,
        false => Some(user_filter(names)?),
    };
    log.resolve(|filter| Ok(command(filter, whose, roles, question)))
}

fn user_filter(user: Vec<String>) -> Result<Filter, String> {
    Ok(filter(FilterArgs { user, ..FilterArgs::default() })?.0)
}

fn command(filter: Filter, users: Option<Filter>, roles: Vec<PathBuf>, question: RbacQuestion) -> Command {
    Command::Rbac(Box::new(RbacConfig { filter, users, roles, question }))
}
