//! What the guest says on the console, among the kernel's own lines (pure).
//!
//! A line of the guest begins with the mark of its order. There are two: `up`, as the program starts, and the end
//! of the program, which is the last word of a guest.

use crate::run::Status;

/// One word of the guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Word {
    /// The machine is up, the program starts.
    Up,
    /// The program has ended.
    Ended(Status),
    /// The program could not be run.
    Failed(String),
}

impl Word {
    /// The line without its end.
    pub fn line(&self, mark: &str) -> String {
        match self {
            Word::Up => format!("{mark} up"),
            Word::Ended(Status::Exited(code)) => format!("{mark} exited {code}"),
            Word::Ended(Status::Killed(signal)) => format!("{mark} killed {signal}"),
            Word::Failed(why) => format!("{mark} failed {}", why.replace(['\n', '\r'], " ")),
        }
    }

    /// A line of the console, if it is one of the guest's. The kernel may have begun the line: the mark is unique.
    pub fn parse(mark: &str, line: &str) -> Option<Word> {
        let (_, text) = line.split_once(mark)?;
        let text = text.trim();
        let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
        match verb {
            "up" => Some(Word::Up),
            "exited" => rest.parse().ok().map(Status::Exited).map(Word::Ended),
            "killed" => rest.parse().ok().map(Status::Killed).map(Word::Ended),
            "failed" => Some(Word::Failed(rest.to_owned())),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_understood_as_it_was_said() {
        let words = [
            Word::Up,
            Word::Ended(Status::Exited(0)),
            Word::Ended(Status::Exited(101)),
            Word::Ended(Status::Killed(9)),
            Word::Failed("no such file".into()),
        ];
        for word in words {
            let line = word.line("@m1");
            assert_eq!(Word::parse("@m1", &line), Some(word.clone()), "{line}");
            assert_eq!(
                Word::parse("@m1", &format!("[ 1.0] x{line}\r")),
                Some(word),
                "{line}"
            );
        }
    }

    #[test]
    fn nothing_else_is_taken_for_a_word() {
        for line in ["@m2 exited 0", "exited 0", "@m1 exited", "@m1 exited zero", "@m1"] {
            assert_eq!(Word::parse("@m1", line), None, "{line}");
        }
        assert_eq!(
            Word::parse("@m1", &Word::Failed("a\nb".into()).line("@m1")),
            Some(Word::Failed("a b".into()))
        );
    }
}
