//! Text as people and programs hand it in: resources in YAML and JSON, and selectors. Asked of it: there is an intent or
//! an error, never neither; the same text gives the same answer; what a selector prints parses to the same selector.

use crate::input::Input;
use config::{Labels, Rules, Selector, Source, documents, load_with};

/// The first octet chooses what the text is.
pub fn resources(data: &[u8]) {
    let mut input = Input::new(data);
    let choice = input.u8();
    let text = String::from_utf8_lossy(input.rest()).into_owned();
    match choice % 4 {
        0 => selector(&text),
        1 => {
            if let Err(problems) = config::documents::json("input", &text) {
                assert!(!problems.is_empty());
            }
        }
        2 => {
            let rules = Rules {
                shared_out: choice & 4 != 0,
            };
            resource(text, rules);
        }
        _ => {
            let source = Source {
                name: "input".into(),
                text,
            };
            match documents(&source) {
                Ok(documents) => assert!(documents.len() <= source.text.len()),
                Err(problems) => assert!(problems.iter().any(|problem| problem.is_error())),
            }
        }
    }
}

fn selector(text: &str) {
    let labels: Labels = [("rack", "r1"), ("a", ""), ("role", "node")]
        .into_iter()
        .map(|(key, value)| (key.into(), value.into()))
        .collect();
    match text.parse::<Selector>() {
        Ok(selector) => {
            let again: Selector = match selector.to_string().parse() {
                Ok(again) => again,
                Err(error) => panic!("`{selector}` was a selector: {error}"),
            };
            assert_eq!(selector, again);
            assert_eq!(selector.matches(&labels), again.matches(&labels));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn resource(text: String, rules: Rules) {
    let lines = text.lines().count() + 1;
    let sources = [Source {
        name: "input".into(),
        text,
    }];
    let loaded = load_with(&sources, rules);
    let failed = loaded.problems.iter().any(|problem| problem.is_error());
    assert_eq!(loaded.intent.is_none(), failed, "{:?}", loaded.problems);
    for problem in &loaded.problems {
        assert!(!problem.to_string().is_empty());
        assert!(problem.line <= lines, "{problem:?}");
    }
    assert_eq!(load_with(&sources, rules), loaded);
}
