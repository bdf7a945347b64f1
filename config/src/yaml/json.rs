//! A tree as JSON text, for stores that take nothing else.

use std::fmt::Write as _;

use super::tree::{Kind, Value, plain_type};

/// Writes a value as JSON in one line. What YAML reads as a number or a truth value stays one, digit by digit;
/// a number that JSON cannot write (`0x1f`) becomes text.
pub fn to_json(value: &Value) -> String {
    let mut json = String::new();
    write(value, &mut json);
    json
}

fn write(value: &Value, json: &mut String) {
    match &value.kind {
        Kind::Null => json.push_str("null"),
        Kind::Scalar { text, plain: true } if plain_type(text).is_some() => write_plain(text, json),
        Kind::Scalar { text, .. } => write_text(text, json),
        Kind::List(items) => {
            json.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    json.push(',');
                }
                write(item, json);
            }
            json.push(']');
        }
        Kind::Map(entries) => {
            json.push('{');
            for (index, entry) in entries.iter().enumerate() {
                if index > 0 {
                    json.push(',');
                }
                write_text(&entry.key, json);
                json.push(':');
                write(&entry.value, json);
            }
            json.push('}');
        }
    }
}

fn write_plain(text: &str, json: &mut String) {
    match text {
        "true" | "True" | "TRUE" => json.push_str("true"),
        "false" | "False" | "FALSE" => json.push_str("false"),
        // The number is written as it stands: 1.10 is an AS number here, not a tenth more than one.
        number if serde_json::from_str::<serde_json::Number>(number).is_ok() => json.push_str(number),
        other => write_text(other, json),
    }
}

fn write_text(text: &str, json: &mut String) {
    json.push('"');
    for c in text.chars() {
        match c {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    let _ = write!(json, "\\u{unit:04x}");
                }
            }
            c => json.push(c),
        }
    }
    json.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Problems;
    use crate::yaml::documents;

    fn json(text: &str) -> String {
        let mut problems = Problems::new("f");
        let documents = documents(text, &mut problems);
        assert_eq!(problems.into_list(), []);
        to_json(&documents[0])
    }

    #[test]
    fn types_stay_what_they_are() {
        let text = "a: 1.10\nb: '1.10'\nc: 0x1f\nd: yes\ne: True\nf: ~\ng: [1, {h: }]\ni: 10.0.0.0/8\nj: \"\\u0001\\\"\\\\é\\n\"\n";
        assert_eq!(
            json(text),
            r#"{"a":1.10,"b":"1.10","c":"0x1f","d":"yes","e":true,"f":null,"g":[1,{"h":null}],"i":"10.0.0.0/8","j":"\u0001\"\\é\n"}"#
        );
    }

    #[test]
    fn json_reads_back_as_the_same_tree() {
        let text = json("a: [1, 'x', ~, {b: true, '': 'k: v'}]\nc: 1e3\n");
        assert_eq!(json(&text), text);
        assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
    }
}
