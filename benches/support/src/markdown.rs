//! The section of a page that a benchmark writes: between its marks, so that what stands around it stays.

use std::path::Path;

use anyhow::{Context, bail};

/// The lines between which a benchmark's section stands.
#[derive(Debug, Clone, Copy)]
pub struct Marks {
    /// Before it.
    pub begin: &'static str,
    /// After it.
    pub end: &'static str,
}

impl Marks {
    /// The page without the section: what stands before it, the section that is there, what stands after it.
    pub fn split(self, page: &str) -> anyhow::Result<Option<(&str, &str, &str)>> {
        match (page.find(self.begin), page.find(self.end)) {
            (Some(begin), Some(end)) if begin < end => Ok(Some((
                &page[..begin],
                &page[begin + self.begin.len()..end],
                &page[end + self.end.len()..],
            ))),
            (None, None) => Ok(None),
            _ => bail!(
                "the page has one mark of this benchmark without the other: {} ... {}",
                self.begin,
                self.end
            ),
        }
    }

    /// The page with this section in place of the one that is there, or at its end.
    pub fn replaced(self, page: &str, section: &str) -> anyhow::Result<String> {
        let section = format!("{}\n{}\n{}", self.begin, section.trim_end(), self.end);
        Ok(match self.split(page)? {
            Some((before, _, after)) => format!("{before}{section}{after}"),
            None => format!("{}\n\n{section}\n", page.trim_end()),
        })
    }

    /// Rewrites the section of the file; `section` is made from the one that is there.
    pub fn write(
        self,
        path: &Path,
        section: impl FnOnce(Option<&str>) -> anyhow::Result<String>,
    ) -> anyhow::Result<()> {
        let page = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => "# Performance\n".into(),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let old = self.split(&page)?.map(|(_, section, _)| section);
        let text = self.replaced(&page, &section(old)?)?;
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }
}

/// How a case begins.
const CASE: &str = "\n### ";

/// The section to be, its cases (`### title`) in this order; cases of the old one that were not run stay.
pub fn with_old_cases(old: Option<&str>, section: &str, order: &[&str]) -> String {
    let (head, mut cases) = parts(section);
    for (title, text) in parts(old.unwrap_or_default()).1 {
        if order.contains(&title) && !cases.iter().any(|(new, _)| *new == title) {
            cases.push((title, text));
        }
    }
    cases.sort_by_key(|(title, _)| order.iter().position(|known| known == title));
    let bodies: String = cases.iter().map(|(_, text)| format!("\n\n{text}")).collect();
    format!("{head}{bodies}")
}

/// What comes before the cases, and each case with its title.
fn parts(section: &str) -> (&str, Vec<(&str, &str)>) {
    let mut starts: Vec<usize> = section.match_indices(CASE).map(|(at, _)| at).collect();
    let head = section[..starts.first().copied().unwrap_or(section.len())].trim();
    starts.push(section.len());
    let cases = starts.windows(2).map(|pair| {
        let text = section[pair[0]..pair[1]].trim();
        let title = text.lines().next().unwrap_or_default();
        (title.trim_start_matches("### "), text)
    });
    (head, cases.collect())
}

/// Processors and kernel of this machine.
pub fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kernel: Vec<&str> = kernel.trim().split('.').take(2).collect();
    format!("{cores} processors, Linux {}", kernel.join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARKS: Marks = Marks {
        begin: "<!-- x: begin -->",
        end: "<!-- x: end -->",
    };

    #[test]
    fn what_stands_around_the_section_stays() {
        let first = MARKS.replaced("# Performance\n\nwords\n", "one\n").unwrap();
        assert_eq!(
            first,
            "# Performance\n\nwords\n\n<!-- x: begin -->\none\n<!-- x: end -->\n"
        );
        let grown = format!("{first}\n## Another\n");
        let second = MARKS.replaced(&grown, "two\n").unwrap();
        assert_eq!(
            second,
            "# Performance\n\nwords\n\n<!-- x: begin -->\ntwo\n<!-- x: end -->\n\n## Another\n"
        );
        assert_eq!(MARKS.replaced(&second, "two\n").unwrap(), second);
    }

    #[test]
    fn half_a_section_is_refused() {
        for page in [
            "<!-- x: begin --> text",
            "text <!-- x: end -->",
            "<!-- x: end --><!-- x: begin -->",
        ] {
            assert!(MARKS.replaced(page, "one").is_err(), "{page}");
        }
    }

    #[test]
    fn the_old_section_is_there_for_the_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("page.md");
        MARKS
            .write(&path, |old| {
                assert_eq!(old, None);
                Ok("one".into())
            })
            .unwrap();
        MARKS
            .write(&path, |old| Ok(format!("{} two", old.unwrap().trim())))
            .unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(
            text,
            "# Performance\n\n<!-- x: begin -->\none two\n<!-- x: end -->\n"
        );
    }
    #[test]
    fn cases_that_were_not_run_stay_and_all_keep_their_order() {
        let order = ["a", "b", "c"];
        let first = with_old_cases(
            None,
            "## F\n\n### c\n\n1\n\n### a\n\n1\n\n### gone\n\n1\n",
            &order,
        );
        let second = with_old_cases(Some(&first), "## G\n\n### b\n\n2\n\n### c\n\n2\n", &order);
        assert_eq!(second, "## G\n\n### a\n\n1\n\n### b\n\n2\n\n### c\n\n2");
    }
}
