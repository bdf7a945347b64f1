//! Reads the fields of one mapping, one by one, and notes every mistake on the way.
//!
//! A resource asks for each field that it knows ([`Reader::text`], [`Reader::parsed`], [`Reader::object`] …);
//! a field of the wrong kind is noted and reads as absent, so that the next one is still looked at. What is
//! left over when the resource is done goes to the table of fields ([`Reader::finish`]), which tells ignored,
//! refused and unknown ones apart.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::fields::{self, Class, ResourceKind};
use crate::problem::{Place, Problems};
use crate::vocabulary::Labels;
use crate::yaml::{Entry, Kind, Value, plain_type};

/// Where each field of a resource stands, for the checks that come later.
pub type Places = BTreeMap<String, Place>;

/// A mapping that is being read.
pub struct Reader<'v, 's> {
    entries: &'v [Entry],
    taken: Vec<bool>,
    path: String,
    problems: &'s mut Problems,
    places: &'s mut Places,
}

impl<'v, 's> Reader<'v, 's> {
    /// Begins to read a document. What is no mapping reads as an empty one and is noted.
    pub fn new(value: &'v Value, problems: &'s mut Problems, places: &'s mut Places) -> Self {
        places.insert(String::new(), value.at);
        Self::at(value, String::new(), problems, places)
    }

    fn at(value: &'v Value, path: String, problems: &'s mut Problems, places: &'s mut Places) -> Self {
        let entries: &[Entry] = match &value.kind {
            Kind::Map(entries) => entries,
            Kind::Null => &[],
            _ => {
                let message = format!("must be a mapping, this is {}", value.describe());
                problems.error(value.at, &path, message, "write `name: value` lines");
                &[]
            }
        };
        Self {
            entries,
            taken: vec![false; entries.len()],
            path,
            problems,
            places,
        }
    }

    /// The full path of a field of this mapping; of the mapping itself for an empty name.
    pub fn path(&self, name: &str) -> String {
        match (self.path.as_str(), name) {
            ("", name) => name.to_owned(),
            (path, "") => path.to_owned(),
            (path, name) => format!("{path}.{name}"),
        }
    }

    /// Whether a field is there, even if it holds nothing; does not take it.
    pub fn has(&self, name: &str) -> bool {
        self.entries.iter().any(|entry| entry.key == name)
    }

    /// Takes a field; `null` counts as absent.
    pub fn take(&mut self, name: &str) -> Option<&'v Value> {
        let index = self.entries.iter().position(|entry| entry.key == name)?;
        let entry = self.entries.get(index)?;
        if let Some(taken) = self.taken.get_mut(index) {
            *taken = true;
        }
        self.places.insert(self.path(name), entry.value.at);
        if entry.value.kind == Kind::Null {
            None
        } else {
            Some(&entry.value)
        }
    }

    /// Notes an error at a field; at the mapping itself where the field is absent.
    pub fn error(&mut self, name: &str, message: impl Into<String>, fix: impl Into<String>) {
        let path = self.path(name);
        let at = place_of(self.places, &path);
        self.problems.error(at, &path, message, fix);
    }

    /// Notes a warning at a field; at the mapping itself where the field is absent.
    pub fn warning(&mut self, name: &str, message: impl Into<String>, fix: impl Into<String>) {
        let path = self.path(name);
        let at = place_of(self.places, &path);
        self.problems.warning(at, &path, message, fix);
    }

    fn wrong_kind(&mut self, path: &str, value: &Value, wanted: &str, fix: &str) {
        let message = format!("must be {wanted}, this is {}", value.describe());
        self.problems.error(value.at, path, message, fix);
    }

    /// A mapping inside this one. Absent ones read as empty.
    pub fn object(&mut self, name: &str) -> Option<Reader<'v, '_>> {
        let path = self.path(name);
        let value = self.take(name)?;
        Some(Reader::at(value, path, self.problems, self.places))
    }

    fn scalar(&mut self, path: &str, value: &'v Value) -> Option<&'v str> {
        match &value.kind {
            Kind::Scalar { text, .. } => Some(text),
            _ => {
                self.wrong_kind(path, value, "a single value", "");
                None
            }
        }
    }

    fn strict_text(&mut self, path: &str, value: &'v Value) -> Option<String> {
        let text = self.scalar(path, value)?;
        let plain = matches!(value.kind, Kind::Scalar { plain: true, .. });
        if let Some(other) = plain_type(text).filter(|_| plain) {
            let message = format!("must be text, `{text}` is {other}");
            self.problems
                .error(value.at, path, message, format!("put it in quotes: '{text}'"));
            return None;
        }
        Some(text.to_owned())
    }

    /// Text. Unquoted numbers and truth values are refused, as Kubernetes refuses them.
    pub fn text(&mut self, name: &str) -> Option<String> {
        let (path, value) = (self.path(name), self.take(name)?);
        self.strict_text(&path, value)
    }

    /// A value that is parsed from its text, however that was written.
    pub fn with<T>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let (path, value) = (self.path(name), self.take(name)?);
        let text = self.scalar(&path, value)?;
        parse(text)
            .map_err(|message| self.problems.error(value.at, &path, message, ""))
            .ok()
    }

    /// The same for what has [`FromStr`].
    pub fn parsed<T: FromStr<Err: Display>>(&mut self, name: &str) -> Option<T> {
        self.with(name, |text| {
            text.parse().map_err(|error: T::Err| error.to_string())
        })
    }

    /// A truth value.
    pub fn boolean(&mut self, name: &str) -> Option<bool> {
        let (path, value) = (self.path(name), self.take(name)?);
        match &value.kind {
            Kind::Scalar { text, plain: true } if matches!(text.as_str(), "true" | "True" | "TRUE") => {
                Some(true)
            }
            Kind::Scalar { text, plain: true } if matches!(text.as_str(), "false" | "False" | "FALSE") => {
                Some(false)
            }
            _ => {
                self.wrong_kind(
                    &path,
                    value,
                    "true or false",
                    "write `true` or `false`, without quotes",
                );
                None
            }
        }
    }

    /// A whole number within bounds.
    pub fn integer(&mut self, name: &str, bounds: RangeInclusive<u32>) -> Option<u32> {
        let (path, value) = (self.path(name), self.take(name)?);
        let (low, high) = (*bounds.start(), *bounds.end());
        let number = match &value.kind {
            Kind::Scalar { text, plain: true } => text.parse().ok().filter(|n| bounds.contains(n)),
            _ => None,
        };
        if number.is_none() {
            let found = value.text().unwrap_or(value.describe());
            let message = format!("must be a whole number from {low} to {high}, this is `{found}`");
            self.problems.error(value.at, &path, message, "");
        }
        number
    }

    /// One of a few words.
    pub fn choice<T: Copy>(&mut self, name: &str, choices: &[(&str, T)]) -> Option<T> {
        let (path, value) = (self.path(name), self.take(name)?);
        let text = self.scalar(&path, value)?;
        let found = choices
            .iter()
            .find(|(word, _)| *word == text)
            .map(|(_, choice)| *choice);
        if found.is_none() {
            let words = choices.iter().map(|(word, _)| *word);
            let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
            let hint = fields::closest(text, words.iter().copied());
            let fix = hint.map_or_else(
                || format!("write one of {}", words.join(", ")),
                |w| format!("did you mean {w}?"),
            );
            self.problems.error(
                value.at,
                &path,
                format!("`{text}` is not a value of this field"),
                fix,
            );
        }
        found
    }

    /// A list of values that are parsed from their text; the wrong ones are noted and left out.
    pub fn list<T>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, String>) -> Option<Vec<T>> {
        let (path, value) = (self.path(name), self.take(name)?);
        let Kind::List(items) = &value.kind else {
            self.wrong_kind(&path, value, "a list", "write `[a, b]` or one `- item` a line");
            return None;
        };
        let mut list = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let path = format!("{path}[{index}]");
            self.places.insert(path.clone(), item.at);
            match self.scalar(&path, item).map(&parse) {
                Some(Ok(parsed)) => list.push(parsed),
                Some(Err(message)) => self.problems.error(item.at, &path, message, ""),
                None => {}
            }
        }
        Some(list)
    }

    /// A list of mappings, each read by `read`; what is no mapping is noted and left out.
    pub fn objects<T>(
        &mut self,
        name: &str,
        mut read: impl FnMut(&mut Reader<'v, '_>) -> Option<T>,
        kind: ResourceKind,
    ) -> Option<Vec<T>> {
        let (path, value) = (self.path(name), self.take(name)?);
        let Kind::List(items) = &value.kind else {
            self.wrong_kind(&path, value, "a list", "write `- name: value` lines");
            return None;
        };
        let mut list = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let path = format!("{path}[{index}]");
            self.places.insert(path.clone(), item.at);
            let mut reader = Reader::at(item, path, self.problems, self.places);
            list.extend(read(&mut reader));
            reader.finish(kind);
        }
        Some(list)
    }

    /// A mapping of text to text.
    pub fn labels(&mut self, name: &str) -> Labels {
        let Some(mut reader) = self.object(name) else {
            return Labels::new();
        };
        let keys: Vec<&str> = reader.entries.iter().map(|entry| entry.key.as_str()).collect();
        keys.iter()
            .filter_map(|key| match reader.take(key) {
                None => Some(((*key).to_owned(), String::new())),
                Some(value) => {
                    let path = reader.path(key);
                    reader
                        .strict_text(&path, value)
                        .map(|text| ((*key).to_owned(), text))
                }
            })
            .collect()
    }

    /// Judges what was not taken by the table of fields, and ends the reading.
    pub fn finish(self, kind: ResourceKind) {
        let mut ignored: Option<(Place, Vec<&str>)> = None;
        for (entry, _) in self.entries.iter().zip(&self.taken).filter(|(_, taken)| !**taken) {
            let path = self.path(&entry.key);
            match fields::find(kind, &path).map(|field| field.class) {
                Some(Class::Supported | Class::Ours) => {}
                Some(Class::Ignored(_)) if self.path == "metadata" => {
                    ignored.get_or_insert((entry.at, Vec::new())).1.push(&entry.key);
                }
                Some(Class::Ignored(why)) => {
                    self.problems
                        .warning(entry.at, &path, format!("ignored: {why}"), "");
                }
                Some(Class::Refused { harmless, why }) => {
                    if !is_harmless(&entry.value, harmless) {
                        self.problems.error(entry.at, &path, why, "remove it");
                    }
                }
                None => {
                    let fix = match self.problems.is_full() {
                        true => String::new(),
                        false => fields::hint(kind, &self.path, &entry.key),
                    };
                    self.problems.error(entry.at, &path, "unknown field", fix);
                }
            }
        }
        if let Some((at, names)) = ignored {
            let message = format!("ignored: what a server wrote ({})", names.join(", "));
            self.problems.warning(at, &self.path, message, "");
        }
    }
}

/// Whether a value says the same as leaving the field out.
fn is_harmless(value: &Value, words: &[&str]) -> bool {
    match &value.kind {
        Kind::Null => true,
        Kind::Scalar { text, .. } => text.is_empty() || text == "false" || words.contains(&text.as_str()),
        Kind::List(items) => items.is_empty(),
        Kind::Map(entries) => entries.is_empty(),
    }
}

/// The place of a field, or of the nearest mapping around it that is there.
pub fn place_of(places: &Places, path: &str) -> Place {
    let mut path = path;
    loop {
        if let Some(at) = places.get(path) {
            return *at;
        }
        match path.rfind(['.', '[']) {
            Some(cut) => path = path.get(..cut).unwrap_or_default(),
            None => return places.get("").copied().unwrap_or_default(),
        }
    }
}
