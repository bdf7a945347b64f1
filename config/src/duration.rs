//! Lengths of time as Go and Kubernetes write them: `90s`, `1m30s`, `500ms`.

use std::time::Duration;

/// Reads a length of time. A bare number has no unit and is refused.
pub fn parse(text: &str) -> Result<Duration, String> {
    let wrong =
        || format!("`{text}` is not a length of time: a number with a unit, such as 60s, 1m30s or 500ms");
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let number: u64 = rest
            .get(..digits)
            .and_then(|n| n.parse().ok())
            .ok_or_else(wrong)?;
        rest = &rest[digits..];
        let unit = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let milliseconds = match &rest[..unit] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return Err(wrong()),
        };
        rest = &rest[unit..];
        let part = number.checked_mul(milliseconds).ok_or_else(wrong)?;
        total = total.checked_add(Duration::from_millis(part)).ok_or_else(wrong)?;
    }
    if text.is_empty() { Err(wrong()) } else { Ok(total) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_go_writes() {
        assert_eq!(parse("60s"), Ok(Duration::from_secs(60)));
        assert_eq!(parse("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse("0s"), Ok(Duration::ZERO));
    }

    #[test]
    fn refuses_the_rest() {
        for bad in [
            "",
            "60",
            "s",
            "-1s",
            "1.5s",
            "1 s",
            "99999999999999999999s",
            "9999999999999999999h",
            "1d",
            "1sé",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
