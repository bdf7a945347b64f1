//! What is told of many measurements: percentiles.

/// The value below which this share of all lies; `None` where there are none.
pub fn percentile<T: Ord + Copy>(all: &[T], share: f64) -> Option<T> {
    let mut all = all.to_vec();
    all.sort_unstable();
    let at = (all.len().saturating_sub(1) as f64 * share).round() as usize;
    all.get(at).copied()
}

#[cfg(test)]
mod tests {
    use super::percentile;

    #[test]
    fn percentiles_of_some_values() {
        assert_eq!(percentile::<u32>(&[], 0.5), None);
        assert_eq!(percentile(&[7], 0.99), Some(7));
        assert_eq!(percentile(&[3, 1, 2], 0.5), Some(2));
        assert_eq!(percentile(&[4, 1, 3, 2, 5], 0.0), Some(1));
        assert_eq!(percentile(&[4, 1, 3, 2, 5], 1.0), Some(5));
    }
}
