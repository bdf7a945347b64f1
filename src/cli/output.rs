//! How answers are printed: a table for people, JSON or YAML with the API's own field names for programs.

use anyhow::Context;
use clap::ValueEnum;
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

/// Form of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// One JSON document.
    Json,
    /// One YAML document.
    Yaml,
}

/// Prints `value` in the wanted form; `table` makes the one for people.
pub fn print<T: Serialize>(
    format: Format,
    value: &T,
    table: impl FnOnce(&T) -> String,
) -> anyhow::Result<()> {
    let text = match format {
        Format::Table => table(value),
        Format::Json => serde_json::to_string_pretty(value).context("cannot write the answer as JSON")?,
        Format::Yaml => serde_saphyr::to_string(value).context("cannot write the answer as YAML")?,
    };
    put(&text)
}

/// Writes text to standard output; a reader that has gone away (`| head`) is not an error.
fn put(text: &str) -> anyhow::Result<()> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{}", text.trim_end()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(e).context("cannot write to standard output")
        }
        _ => Ok(()),
    }
}

/// A borderless table as kubectl draws them, never narrower than its content.
pub fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table
        .load_preset(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.iter().map(|h| h.to_uppercase()));
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect::<Vec<_>>()
        .join("\n")
}

/// Seconds as people say them: `42s`, `3m10s`, `5h02m`, `4d07h`.
pub fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..86400 => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{}d{:02}h", seconds / 86400, seconds % 86400 / 3600),
    }
}

/// A value, or a dash.
pub fn dash<T: ToString>(value: &Option<T>) -> String {
    value.as_ref().map_or_else(|| "-".into(), T::to_string)
}

#[cfg(test)]
mod tests {
    use super::{span, table};

    #[test]
    fn spans_read_as_people_say_them() {
        let said: Vec<String> = [0, 59, 60, 3599, 3600, 86400 * 4 + 7 * 3600].map(span).into();
        assert_eq!(said, ["0s", "59s", "1m00s", "59m59s", "1h00m", "4d07h"]);
    }

    #[test]
    fn a_table_lines_up_and_leaves_no_trailing_space() {
        let text = table(
            &["a", "b"],
            [
                vec!["long value".into(), "x".into()],
                vec!["y".into(), "z".into()],
            ],
        );
        assert_eq!(text, "A           B\nlong value  x\ny           z");
    }
}
