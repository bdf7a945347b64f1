//! Guesses at what was meant by a word that is not in the table.

use super::class::{Class, ResourceKind};
use super::table::{all, table_path};

/// What to write in place of an unknown field.
pub fn hint(kind: ResourceKind, parent: &str, name: &str) -> String {
    let parent = table_path(kind, parent);
    let name_in = |path: &'static str| match path.rsplit_once('.') {
        Some((before, last)) if before == parent => Some(last),
        None if parent.is_empty() => Some(path),
        _ => None,
    };
    let known = || all(kind).filter(|field| !matches!(field.class, Class::Ignored(_)));
    if let Some(close) = closest(name, known().filter_map(|field| name_in(field.path))) {
        return format!("did you mean {close}?");
    }
    let last = |path: &'static str| path.rsplit('.').next().unwrap_or(path);
    if let Some(elsewhere) = known().find(|field| last(field.path).eq_ignore_ascii_case(name)) {
        return format!("did you mean {}?", elsewhere.path);
    }
    let supported = known().filter(|field| matches!(field.class, Class::Supported | Class::Ours));
    let names: Vec<_> = supported.filter_map(|field| name_in(field.path)).collect();
    if names.is_empty() {
        "remove it".to_owned()
    } else {
        format!("known here: {}", names.join(", "))
    }
}

/// The candidate that a slip of the hand turned into this word, if there is one.
pub fn closest<'c>(word: &str, candidates: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    let lower = word.to_lowercase();
    let allowed = (word.chars().count() / 3).clamp(1, 3);
    candidates
        .map(|candidate| (distance(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Edits between two words: letters added, dropped, replaced, or swapped with their neighbour. Words longer
/// than any field are not compared.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len() > 64 || b.len() > 64 {
        return usize::MAX;
    }
    let letter = |word: &[char], at: usize| at.checked_sub(1).and_then(|i| word.get(i).copied());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    let cell = |rows: &[Vec<usize>], i: usize, j: usize| {
        rows.get(i).and_then(|r| r.get(j)).copied().unwrap_or(i + j)
    };
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let (x, y) = (letter(&a, i), letter(&b, j));
            let replaced = cell(&rows, i - 1, j - 1) + usize::from(x != y);
            let dropped = cell(&rows, i - 1, j) + 1;
            let added = row.last().map_or(usize::MAX, |left| left + 1);
            let mut best = replaced.min(dropped).min(added);
            if i > 1 && j > 1 && x == letter(&b, j - 1) && y == letter(&a, i - 1) {
                best = best.min(cell(&rows, i - 2, j - 2) + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    cell(&rows, a.len(), b.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_edits() {
        for (a, b, wanted) in [
            ("", "", 0),
            ("a", "", 1),
            ("", "ab", 2),
            ("kitten", "sitting", 3),
            ("asn", "asn", 0),
        ] {
            assert_eq!(distance(a, b), wanted, "{a} {b}");
        }
    }

    #[test]
    fn hints_find_slips_and_other_levels() {
        let hint = |parent, name| hint(ResourceKind::Node, parent, name);
        assert_eq!(hint("spec", "podCidr"), "did you mean podCIDRs?");
        assert_eq!(hint("spec", "asNumber"), "did you mean spec.bgp.asNumber?");
        assert!(hint("spec.bgp", "colour").starts_with("known here: ipv4Address"));
    }
}
