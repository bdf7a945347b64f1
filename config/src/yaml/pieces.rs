//! A source cut into its documents, before anything is parsed.
//!
//! A line that begins with `---` or `...` ends a document wherever it stands: YAML allows it inside no scalar
//! (YAML 1.2.2, section 9.1.2). So the cut is exact, a syntax error costs one document, the size of each is
//! known before it is read, and the text of one can be replaced without touching the others.

use std::ops::Range;

/// The text of one document in its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// What the parser gets: with the marker that begins it.
    pub whole: Range<usize>,
    /// What it says: without the marker and, where nothing stands beside the marker, without its line.
    pub body: Range<usize>,
    /// How many lines lie before `whole`.
    pub lines_before: usize,
}

/// Cuts a source. Pieces without content (blank, comments, directives) are left out.
pub fn pieces(text: &str) -> Vec<Piece> {
    // A byte order mark is no content; editors on other systems write it.
    let start = if text.starts_with('\u{feff}') { 3 } else { 0 };
    let mut pieces = Vec::new();
    let mut open = Piece {
        whole: start..start,
        body: start..start,
        lines_before: 0,
    };
    let mut at = start;
    for (number, line) in lines(text.get(start..).unwrap_or_default()).enumerate() {
        if let Some(marker) = marker(line) {
            close(text, open, at, &mut pieces);
            let beside = line.get(3..).unwrap_or_default();
            let after_line = at + line.len();
            open = match marker {
                Marker::Start => Piece {
                    whole: at..at,
                    body: if beside.trim().is_empty() {
                        after_line
                    } else {
                        at + 3
                    }..at,
                    lines_before: number,
                },
                Marker::End => Piece {
                    whole: after_line..at,
                    body: after_line..at,
                    lines_before: number + 1,
                },
            };
        }
        at += line.len();
    }
    close(text, open, at, &mut pieces);
    pieces
}

enum Marker {
    Start,
    End,
}

fn marker(line: &str) -> Option<Marker> {
    let (found, rest) = match line.get(..3)? {
        "---" => (Marker::Start, line.get(3..)?),
        "..." => (Marker::End, line.get(3..)?),
        _ => return None,
    };
    (rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n'])).then_some(found)
}

/// Lines with their breaks, as YAML has them: LF, CR LF, or CR alone.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let bytes = rest.as_bytes();
        let end = match bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            Some(cr) if bytes.get(cr) == Some(&b'\r') && bytes.get(cr + 1) == Some(&b'\n') => cr + 2,
            Some(at) => at + 1,
            None => bytes.len(),
        };
        let (line, after) = rest.split_at(end);
        rest = after;
        Some(line)
    })
}

fn close(text: &str, mut piece: Piece, end: usize, into: &mut Vec<Piece>) {
    piece.whole.end = end.max(piece.whole.start);
    piece.body.end = end.max(piece.body.start);
    let body = text.get(piece.body.clone()).unwrap_or_default();
    let silent = |line: &str| {
        let line = line.trim();
        line.is_empty() || line.starts_with('#')
    };
    // Directives stand at the beginning of a line, before the marker of the document that they are for.
    let mut content = lines(body).filter(|line| !silent(line)).peekable();
    let prologue = piece.whole.start == piece.body.start;
    if prologue {
        while content.next_if(|line| line.starts_with('%')).is_some() {}
    }
    if content.peek().is_some() {
        into.push(piece);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bodies(text: &str) -> Vec<&str> {
        pieces(text).into_iter().map(|piece| &text[piece.body]).collect()
    }

    #[test]
    fn documents_are_cut_at_their_markers() {
        for (text, wanted) in [
            ("", vec![]),
            ("# only\n\n---\n# this\n", vec![]),
            ("a: 1\n", vec!["a: 1\n"]),
            ("---\na: 1\n---\nb: 2", vec!["a: 1\n", "b: 2"]),
            ("# x\na: 1\n---\n---\nb: 2\n...\n", vec!["# x\na: 1\n", "b: 2\n"]),
            ("--- {a: 1}\n--- # c\nb: 2\n", vec![" {a: 1}\n", " # c\nb: 2\n"]),
            ("%YAML 1.2\n---\na: 1\n...\nb: 2\n", vec!["a: 1\n", "b: 2\n"]),
            ("\u{feff}a: 1\r\n---\r\nb: 2\r\n", vec!["a: 1\r\n", "b: 2\r\n"]),
            ("a: 1\r---\rb: 2", vec!["a: 1\r", "b: 2"]),
            ("a: |\n  ---\n ---\n----\n", vec!["a: |\n  ---\n ---\n----\n"]),
            ("----\n", vec!["----\n"]),
            ("é", vec!["é"]),
        ] {
            assert_eq!(bodies(text), wanted, "{text:?}");
        }
    }

    #[test]
    fn pieces_know_their_lines() {
        let lines: Vec<_> = pieces("# x\n---\na: 1\r\n...\n\nb: 2\n--- c\n")
            .into_iter()
            .map(|piece| piece.lines_before)
            .collect();
        assert_eq!(lines, [1, 4, 6]);
    }
}
