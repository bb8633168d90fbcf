//! Commands that were run in containers, as a person would type and call them.

/// The arguments as one would type them in a shell.
pub fn shell_line<'w>(arguments: impl IntoIterator<Item = &'w str>) -> String {
    let words: Vec<String> = arguments.into_iter().map(quoted).collect();
    words.join(" ")
}

/// A word as a POSIX shell takes it: plain, or in single quotes.
fn quoted(word: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "@%+=:,./-_".contains(character);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Whether a command is a shell and nothing more, so that what was done in it is not in the log.
pub fn is_shell<S: AsRef<str>>(arguments: &[S]) -> bool {
    const SHELLS: [&str; 9] = ["sh", "bash", "ash", "dash", "zsh", "ksh", "fish", "pwsh", "busybox"];
    let Some((program, rest)) = arguments.split_first() else { return false };
    let rest: Vec<&str> = rest.iter().map(AsRef::as_ref).collect();
    let name = program.as_ref().rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    SHELLS.contains(&name.as_str()) && is_interactive(&rest)
}

/// Whether what follows a shell's name gives it no command: flags, or a command that is a shell again, such
/// as dashboards send (`sh -c "exec bash"`, `sh -c "command -v bash && exec bash || exec sh"`).
fn is_interactive(rest: &[&str]) -> bool {
    match rest {
        [] => true,
        ["-c", line] => {
            let last = line.split([';', '&', '|']).map(str::trim).rfind(|part| !part.is_empty()).unwrap_or_default();
            let last = last.strip_prefix("exec ").unwrap_or(last);
            is_shell(&last.split_whitespace().collect::<Vec<_>>())
        }
        [one] if matches!(*one, "sh" | "ash") => true,
        all => all.iter().all(|argument| argument.starts_with('-') && *argument != "-c"),
    }
}

/// A copy by `kubectl cp`, which is `tar` at the other end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Copy {
    /// Files were read out of the container.
    Out(Vec<String>),
    /// Files were written into the container, below this directory; none is where the command starts.
    In(Option<String>),
}

impl Copy {
    /// Recognises the commands that `kubectl cp` of all versions runs, `oc rsync` with tar, and what people
    /// write by hand in the same way: `tar cf - PATH`, `tar xf - -C DIRECTORY`; also where a shell runs them
    /// to resume a copy: `sh -c "tar cf - PATH | tail -c+N"`.
    pub fn of<S: AsRef<str>>(arguments: &[S]) -> Option<Copy> {
        let words: Vec<&str> = arguments.iter().map(AsRef::as_ref).collect();
        if let [shell, "-c", line] = words.as_slice()
            && shell.rsplit('/').next() == Some("sh")
        {
            let first = line.split('|').next().unwrap_or_default();
            return Copy::of(&first.split_whitespace().map(|word| word.trim_matches('\'')).collect::<Vec<_>>());
        }
        let (program, rest) = words.split_first()?;
        (program.rsplit('/').next() == Some("tar")).then(|| tar(rest)).flatten()
    }
}

/// What `tar` is told to do with its standard input or output.
fn tar(arguments: &[&str]) -> Option<Copy> {
    let mut archive = None;
    let (mut creates, mut extracts) = (false, false);
    let (mut directory, mut paths) = (None, Vec::new());
    let mut words = arguments.iter().enumerate();
    while let Some((at, &word)) = words.next() {
        let short = word.strip_prefix('-').filter(|rest| !rest.is_empty() && !rest.starts_with('-'));
        // The first word may hold its letters without a dash.
        match short.or(Some(word).filter(|_| at == 0 && !word.starts_with('-'))) {
            Some(letters) => {
                creates |= letters.contains('c');
                extracts |= letters.contains('x');
                if letters.ends_with('f') {
                    archive = words.next().map(|(_, &word)| word);
                } else if letters.ends_with('C') {
                    directory = words.next().map(|(_, &word)| word.to_owned());
                }
            }
            None if word == "-" || word.starts_with("--") => {}
            None => paths.push(word.to_owned()),
        }
    }
    match (archive, creates, extracts) {
        (Some("-"), true, false) => Some(Copy::Out(paths)),
        (Some("-"), false, true) => Some(Copy::In(directory)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copy(line: &str) -> Option<Copy> {
        Copy::of(&line.split(' ').collect::<Vec<_>>())
    }

    #[test]
    fn lines_can_be_typed_again() {
        assert_eq!(shell_line(["sh", "-c", "env | grep PASS"]), "sh -c 'env | grep PASS'");
        assert_eq!(shell_line(["echo", "it's", ""]), r"echo 'it'\''s' ''");
    }

    #[test]
    fn shells_are_those_without_a_command() {
        for yes in [&["sh"][..], &["/bin/bash", "-il"], &["sh", "-c", "command -v bash && exec bash || exec sh"]] {
            assert!(is_shell(yes), "{yes:?}");
        }
        for no in [&["sh", "-c", "env"][..], &["bash", "x.sh"], &["ls"], &[], &["busybox", "wget"]] {
            assert!(!is_shell(no), "{no:?}");
        }
    }

    #[test]
    fn copies_are_recognised() {
        let out = |path: &str| Some(Copy::Out(vec![path.to_owned()]));
        assert_eq!(copy("tar cf - /data/dump.sql"), out("/data/dump.sql"));
        assert_eq!(copy("tar -czf - /etc"), out("/etc"));
        assert_eq!(Copy::of(&["sh", "-c", "tar cf - /data/x | tail -c+4096"]), out("/data/x"));
        let into = |path: &str| Some(Copy::In(Some(path.to_owned())));
        assert_eq!(copy("tar -xmf - -C /tmp"), into("/tmp"));
        assert_eq!(copy("tar xmf - -C /tmp"), into("/tmp"));
        assert_eq!(copy("tar --no-same-permissions --no-same-owner -xmf - -C /opt"), into("/opt"));
        assert_eq!(copy("/bin/tar -xmf -"), Some(Copy::In(None)));
        for other in ["tar tf x.tar", "tar cf x.tar /data", "cat -", "tar", "sh -c ls"] {
            assert_eq!(copy(other), None, "{other}");
        }
    }
}
