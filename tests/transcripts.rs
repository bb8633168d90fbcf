//! Replays the examples in the documentation and in `tests/cases`: what they show is what auditq prints.
//!
//! A case is a fenced `console` block: a line `$ auditq …`, then the exact output (stdout and stderr in order),
//! then `[exit N]` if the status is not 0. A block may hold several. `tests/cases/README.md` has the rules.
//! `UPDATE=1 cargo test --test transcripts` writes what is printed now; read the diff before you commit it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn transcripts_show_what_auditq_prints() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let update = std::env::var_os("UPDATE").is_some_and(|value| value == "1");
    let files = documents(root);
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(Vec::new());
    let workers = std::thread::available_parallelism().map_or(1, |count| count.get());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = check(root, file, update);
                    outcomes.lock().expect("no worker panics").push((file, outcome));
                }
            });
        }
    });
    let mut outcomes = outcomes.into_inner().expect("no worker panics");
    outcomes.sort_by_key(|(file, _)| *file);
    let (mut cases, mut failures) = (0, Vec::new());
    for (_, outcome) in outcomes {
        cases += outcome.cases;
        failures.extend(outcome.failures);
    }
    assert!(failures.is_empty(), "{}\n\n{} of {cases} cases failed", failures.join("\n"), failures.len());
    assert!(cases > 0, "no case found: neither tests/cases nor docs nor README.md has a `console` block");
}

/// Every Markdown file that may hold cases, in order.
fn documents(root: &Path) -> Vec<PathBuf> {
    let mut found = vec![root.join("README.md")];
    let mut folders = vec![root.join("tests/cases")];
    while let Some(folder) = folders.pop() {
        for path in entries(&folder) {
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.extend(entries(&root.join("docs")));
    found.retain(|path| path.extension().is_some_and(|extension| extension == "md") && path.is_file());
    found.sort();
    found
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries.map(|entry| entry.expect("a readable folder").path()).collect()
}

struct Outcome {
    cases: usize,
    failures: Vec<String>,
}

fn check(root: &Path, file: &Path, update: bool) -> Outcome {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let shown = file.strip_prefix(root).unwrap_or(file).display().to_string();
    let mut run = |command: &str| shell(root, command);
    let replay = replay(&text, &shown, &mut run);
    for command in &replay.listed {
        tell(&format!("{shown}: not run: {command}"));
    }
    let mut failures = replay.refused;
    if update && replay.text != text && failures.is_empty() {
        fs::write(file, &replay.text).unwrap_or_else(|error| panic!("{shown}: {error}"));
        tell(&format!("{shown}: {} cases rewritten", replay.different.len()));
    } else if !update {
        failures.extend(replay.different);
    }
    Outcome { cases: replay.cases, failures }
}

/// Speaks to the person who runs the tests; the harness would hide what a macro prints while the test passes.
fn tell(message: &str) {
    writeln!(std::io::stderr(), "{message}").expect("stderr is open");
}

/// Runs one line as a person would, with the binary under test first in `PATH` and nothing else from outside.
fn shell(root: &Path, command: &str) -> Ran {
    let binary = Path::new(env!("CARGO_BIN_EXE_auditq"));
    let mut path = vec![binary.parent().expect("the binary is in a folder").to_path_buf()];
    path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let output = Command::new("sh")
        .args(["-c", &format!("exec 2>&1\n{command}")])
        .current_dir(root)
        .env_clear()
        .env("PATH", std::env::join_paths(path).expect("PATH was a path list before"))
        .env("NO_COLOR", "1")
        .env("TZ", "UTC")
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .output()
        .expect("sh runs");
    let exit = output.status.code().unwrap_or(-1);
    Ran { output: String::from_utf8_lossy(&output.stdout).into_owned(), exit }
}

struct Ran {
    output: String,
    exit: i32,
}

/// What came of one document.
struct Replay {
    /// The document as it would be if every case were right.
    text: String,
    cases: usize,
    /// Cases whose output differs, each as a message with a diff.
    different: Vec<String>,
    /// Cases that may not be written like this.
    refused: Vec<String>,
    /// Installation commands, which are shown but not run.
    listed: Vec<String>,
}

/// Goes through a document, runs its cases, and writes it anew as it should be.
fn replay(text: &str, file: &str, run: &mut dyn FnMut(&str) -> Ran) -> Replay {
    let mut replay =
        Replay { text: String::new(), cases: 0, different: Vec::new(), refused: Vec::new(), listed: Vec::new() };
    let mut lines = text.lines().enumerate().peekable();
    let mut heading = String::new();
    while let Some((number, line)) = lines.next() {
        push(&mut replay.text, "", line);
        let Some(fence) = Fence::opened_by(line) else {
            if line.starts_with('#') {
                heading = line.trim_start_matches('#').trim().to_lowercase();
            }
            continue;
        };
        let mut body = Vec::new();
        let mut closing = None;
        for (_, line) in lines.by_ref() {
            if fence.is_closed_by(line) {
                closing = Some(line);
                break;
            }
            body.push(line.strip_prefix(fence.indent).unwrap_or(line));
        }
        let place = Place { file, line: number + 2, installing: file == "README.md" && heading.contains("install") };
        match fence.info {
            "console" => replay.block(&body, &place, &fence, run),
            info if info.split_whitespace().next() == Some("console") => replay.special(&body, info, &place, &fence),
            _ => body.iter().for_each(|line| push(&mut replay.text, fence.indent, line)),
        }
        match closing {
            Some(line) => push(&mut replay.text, "", line),
            None => replay.refused.push(format!("{file}:{}: this block is never closed", number + 1)),
        }
    }
    replay
}

/// Where a block is.
struct Place<'a> {
    file: &'a str,
    line: usize,
    installing: bool,
}

impl Replay {
    fn block(&mut self, body: &[&str], place: &Place<'_>, fence: &Fence<'_>, run: &mut dyn FnMut(&str) -> Ran) {
        let mut at = 0;
        while at < body.len() {
            let line = place.line + at;
            let Some(first) = body[at].strip_prefix("$ ") else {
                self.refused.push(format!("{}:{line}: output without a command before it", place.file));
                return;
            };
            let mut command = first.to_owned();
            push(&mut self.text, fence.indent, body[at]);
            at += 1;
            while command.ends_with('\\') && at < body.len() {
                command = format!("{command}\n{}", body[at]);
                push(&mut self.text, fence.indent, body[at]);
                at += 1;
            }
            let end = (at..body.len()).find(|&at| body[at].starts_with("$ ")).unwrap_or(body.len());
            let expected = &body[at..end];
            at = end;
            if let Some(problem) = refusal(&command) {
                self.refused.push(format!("{}:{line}: $ {command}\n  {problem}", place.file));
                continue;
            }
            self.cases += 1;
            let ran = run(&command);
            let actual = shown(&ran);
            let actual: Vec<&str> = actual.lines().collect();
            if let Some(bad) = actual.iter().find(|line| line.starts_with("$ ") || fence.is_closed_by(line)) {
                self.refused.push(format!(
                    "{}:{line}: $ {command}\n  prints a line that would end the case: {bad}",
                    place.file
                ));
            } else if actual != expected {
                self.different.push(format!("{}:{line}: $ {command}\n{}", place.file, difference(expected, &actual)));
            }
            actual.iter().for_each(|line| push(&mut self.text, fence.indent, line));
        }
    }

    /// A `console` block with another word: only installation commands may go without being run.
    fn special(&mut self, body: &[&str], info: &str, place: &Place<'_>, fence: &Fence<'_>) {
        for (number, line) in body.iter().enumerate() {
            push(&mut self.text, fence.indent, line);
            let install = line.strip_prefix("$ ").filter(|command| {
                info == "console norun"
                    && place.installing
                    && ["cargo ", "git clone ", "cd "].iter().any(|start| command.starts_with(start))
            });
            match install {
                Some(command) => self.listed.push(command.to_owned()),
                None => self.refused.push(format!(
                    "{}:{}: {line}\n  `{info}` is only for cargo and git clone in the install section of README.md",
                    place.file,
                    place.line + number
                )),
            }
        }
    }
}

/// The output as it stands in a document, with the exit status if it is not 0.
fn shown(ran: &Ran) -> String {
    let mut text = ran.output.clone();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push_str("\n[no newline at the end]\n");
    }
    if ran.exit != 0 {
        text.push_str(&format!("[exit {}]\n", ran.exit));
    }
    text
}

/// Why a command may not be a case.
fn refusal(command: &str) -> Option<&'static str> {
    let mut words = command.split(|character: char| character.is_whitespace() || "=|;&()'\"".contains(character));
    if !words.clone().any(|word| word == "auditq") {
        return Some("a case runs auditq; use another kind of block for other commands");
    }
    let mut before = "";
    let relative = words.any(|word| {
        let since = matches!(before, "--since" | "--until" | "--around");
        before = word;
        let digits = word.trim_start_matches('-');
        let duration = digits.starts_with(|first: char| first.is_ascii_digit())
            && digits.ends_with(['s', 'm', 'h', 'd', 'w'])
            && !digits.contains(':');
        word == "date" || since && (duration || matches!(word, "now" | "today" | "yesterday"))
    });
    relative.then_some("a case must not depend on the clock; write the time out")
}

/// A Markdown code fence.
struct Fence<'a> {
    indent: &'a str,
    marks: usize,
    info: &'a str,
}

impl<'a> Fence<'a> {
    fn opened_by(line: &'a str) -> Option<Fence<'a>> {
        let rest = line.trim_start_matches(' ');
        let info = rest.trim_start_matches('`');
        let marks = rest.len() - info.len();
        let indent = line.strip_suffix(rest)?;
        (marks >= 3 && !info.contains('`')).then(|| Fence { indent, marks, info: info.trim() })
    }

    fn is_closed_by(&self, line: &str) -> bool {
        let line = line.trim();
        line.len() >= self.marks && line.bytes().all(|byte| byte == b'`')
    }
}

fn push(text: &mut String, indent: &str, line: &str) {
    if !line.is_empty() {
        text.push_str(indent);
    }
    text.push_str(line);
    text.push('\n');
}

/// Both texts, line by line: `-` is in the document, `+` is printed.
fn difference(expected: &[&str], actual: &[&str]) -> String {
    let same_start = expected.iter().zip(actual).take_while(|(left, right)| left == right).count();
    let (left, right) = (&expected[same_start..], &actual[same_start..]);
    let same_end = left.iter().rev().zip(right.iter().rev()).take_while(|(left, right)| left == right).count();
    let (left, right) = (&left[..left.len() - same_end], &right[..right.len() - same_end]);
    let mut text = String::new();
    for line in &expected[same_start.saturating_sub(2)..same_start] {
        text += &format!("    {line}\n");
    }
    for (mark, line) in edits(left, right) {
        text += &format!("  {mark} {line}\n");
    }
    for line in expected[expected.len() - same_end..].iter().take(2) {
        text += &format!("    {line}\n");
    }
    text
}

/// The longest common subsequence told as edits; a very long text is not worth the table.
fn edits<'a>(left: &[&'a str], right: &[&'a str]) -> Vec<(char, &'a str)> {
    if left.len() * right.len() > 4_000_000 {
        let gone = left.iter().map(|line| ('-', *line));
        return gone.chain(right.iter().map(|line| ('+', *line))).collect();
    }
    let width = right.len() + 1;
    let mut common = vec![0u32; (left.len() + 1) * width];
    for i in (0..left.len()).rev() {
        for j in (0..right.len()).rev() {
            common[i * width + j] = if left[i] == right[j] {
                common[(i + 1) * width + j + 1] + 1
            } else {
                common[(i + 1) * width + j].max(common[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j, mut edits) = (0, 0, Vec::new());
    while i < left.len() || j < right.len() {
        if i < left.len() && j < right.len() && left[i] == right[j] {
            edits.push((' ', left[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == right.len() || i < left.len() && common[(i + 1) * width + j] >= common[i * width + j + 1] {
            edits.push(('-', left[i]));
            i += 1;
        } else {
            edits.push(('+', right[j]));
            j += 1;
        }
    }
    edits
}

mod runner {
    use super::*;

    fn echo(output: &str, exit: i32) -> impl FnMut(&str) -> Ran {
        let output = output.to_owned();
        move |_| Ran { output: output.clone(), exit }
    }

    #[test]
    fn a_right_case_passes_and_stays_as_it_is() {
        let text = "# Title\n\n```console\n$ auditq query a.log\none\n\n  two\n[exit 3]\n```\n\ntext\n";
        let replay = replay(text, "docs/a.md", &mut echo("one\n\n  two\n", 3));
        assert_eq!((replay.cases, replay.different.len(), replay.refused.len()), (1, 0, 0));
        assert_eq!(replay.text, text);
    }

    #[test]
    fn a_wrong_case_fails_with_a_diff_and_can_be_rewritten() {
        let text = "```console\n$ auditq query a.log\none\ntwo\nthree\n```\n";
        let replay = replay(text, "docs/a.md", &mut echo("one\n2\nthree\n", 0));
        assert_eq!(replay.different, ["docs/a.md:2: $ auditq query a.log\n    one\n  - two\n  + 2\n    three\n"]);
        assert_eq!(replay.text, "```console\n$ auditq query a.log\none\n2\nthree\n```\n");
    }

    #[test]
    fn a_block_may_hold_several_commands_and_be_indented() {
        let text =
            "1. Step\n   ```console\n   $ auditq \\\n     query\n   out\n   $ cat x | auditq query -\n   out\n   ```\n";
        let mut seen = Vec::new();
        let replay = replay(text, "docs/a.md", &mut |command| {
            seen.push(command.to_owned());
            Ran { output: "out\n".to_owned(), exit: 0 }
        });
        assert_eq!(seen, ["auditq \\\n  query", "cat x | auditq query -"]);
        assert_eq!((replay.cases, replay.different.len()), (2, 0));
        assert_eq!(replay.text, text);
    }

    #[test]
    fn other_blocks_are_left_alone() {
        let text = "````text\n```console\n$ auditq nothing\n```\n````\n\n```sh\n$ auditq nothing\n```\n";
        let replay = replay(text, "docs/a.md", &mut echo("", 0));
        assert_eq!((replay.cases, replay.refused.len()), (0, 0));
        assert_eq!(replay.text, text);
    }

    #[test]
    fn what_cannot_be_a_case_is_refused() {
        let refused = |body: &str| {
            let text = format!("## Install\n\n```console\n{body}\n```\n");
            replay(&text, "docs/a.md", &mut echo("", 0)).refused.len()
        };
        assert_eq!(refused("$ ls -l"), 1);
        assert_eq!(refused("no command"), 1);
        assert_eq!(refused("$ auditq query --since -15m a.log"), 1);
        assert_eq!(refused("$ auditq query --since=yesterday a.log"), 1);
        assert_eq!(refused("$ auditq query --until \"$(date)\" a.log"), 1);
        assert_eq!(refused("$ auditq query --since 2026-03-09T08:00:00Z a.log"), 0);
        assert_eq!(refused("$ auditq query --since 2026-03-09 --window 5m a.log"), 0);
    }

    #[test]
    fn only_the_install_section_of_the_readme_goes_without_running() {
        let text = "## Install\n\n```console norun\n$ cargo install --path .\n```\n";
        let fine = replay(text, "README.md", &mut echo("", 0));
        assert_eq!((fine.listed.as_slice(), fine.refused.len()), (["cargo install --path .".to_owned()].as_slice(), 0));
        assert_eq!(replay(text, "docs/a.md", &mut echo("", 0)).refused.len(), 1);
        let elsewhere = "## Use\n\n```console norun\n$ cargo install --path .\n```\n";
        assert_eq!(replay(elsewhere, "README.md", &mut echo("", 0)).refused.len(), 1);
        let hidden = "## Install\n\n```console norun\n$ auditq query a.log\n```\n";
        assert_eq!(replay(hidden, "README.md", &mut echo("", 0)).refused.len(), 1);
    }

    #[test]
    fn a_missing_last_newline_is_seen() {
        assert_eq!(shown(&Ran { output: "a".to_owned(), exit: 0 }), "a\n[no newline at the end]\n");
    }

    #[test]
    fn the_shell_merges_both_streams_in_order() {
        let ran = shell(Path::new(env!("CARGO_MANIFEST_DIR")), "echo out; echo err >&2; echo $TZ$NO_COLOR; exit 4");
        assert_eq!((ran.output.as_str(), ran.exit), ("out\nerr\nUTC1\n", 4));
    }
}
