//! What a plain YAML scalar means, and to whom it means something else.

/// What YAML 1.2 (core schema) takes a scalar for.
#[derive(Debug, Clone, PartialEq)]
pub enum Typed {
    /// Nothing: left out, `~` or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number; one outside of 128 bits is the nearest of them.
    Int(i128),
    /// Any other number.
    Float(f64),
    /// Text.
    Text,
}

/// Resolves an unquoted scalar by the core schema of YAML 1.2 (section 10.3.2 of the specification).
pub(super) fn resolve(text: &str) -> Typed {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Typed::Null,
        "true" | "True" | "TRUE" => return Typed::Bool(true),
        "false" | "False" | "FALSE" => return Typed::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Typed::Float(f64::NAN),
        _ => {}
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        return Typed::Float(if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY });
    }
    let based = |prefix: &str, base: u32| {
        let digits = text.strip_prefix(prefix)?;
        let ok = !digits.is_empty() && digits.chars().all(|c| c.is_digit(base));
        ok.then(|| Typed::Int(i128::from_str_radix(digits, base).unwrap_or(i128::MAX)))
    };
    if let Some(typed) = based("0x", 16).or_else(|| based("0o", 8)) {
        return typed;
    }
    if !unsigned.is_empty() && unsigned.bytes().all(|b| b.is_ascii_digit()) {
        let nearest = if text.starts_with('-') { i128::MIN } else { i128::MAX };
        return Typed::Int(text.parse().unwrap_or(nearest));
    }
    if is_float(unsigned) { float(text) } else { Typed::Text }
}

fn float(text: &str) -> Typed {
    text.parse().map_or(Typed::Text, Typed::Float)
}

/// `( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`
fn is_float(text: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (text, None),
    };
    let mantissa_ok = match mantissa.split_once('.') {
        Some((whole, part)) => digits(whole) && digits(part) && !(whole.is_empty() && part.is_empty()),
        None => !mantissa.is_empty() && digits(mantissa),
    };
    mantissa_ok && exponent.is_none_or(|exponent| !exponent.is_empty() && digits(exponent))
}

/// Tells what helm's YAML reader, which also knows YAML 1.1, takes an unquoted scalar for when that is not what
/// YAML 1.2 says: the text to write instead. Facts from the resolve table of go-yaml.
pub(super) fn old_meaning(text: &str) -> Option<String> {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => return Some("true".into()),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => return Some("false".into()),
        _ => {}
    }
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let plain = digits.replace('_', "");
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let octal = plain.len() > 1 && plain.starts_with('0') && plain.bytes().all(|b| (b'0'..=b'7').contains(&b));
    if octal {
        return i128::from_str_radix(&plain, 8).ok().map(|n| format!("{sign}{n}"));
    }
    if let Some(binary) = plain.strip_prefix("0b") {
        return i128::from_str_radix(binary, 2).ok().map(|n| format!("{sign}{n}"));
    }
    (digits.contains('_') && resolve(&plain) != Typed::Text).then(|| format!("{sign}{plain}"))
}

/// Returns `true` or `false` for the words that YAML 1.1 takes for them, and for the two themselves in quotes.
pub(super) fn resolve_old_bool(text: &str) -> Option<String> {
    match resolve(text) {
        Typed::Bool(value) => Some(value.to_string()),
        _ => old_meaning(text).filter(|word| word == "true" || word == "false"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_mean_what_yaml_1_2_says() {
        for text in
            ["on", "yes", "1.2.3", "1_000", "0o9", "0x", "-", "+", ".", "e3", "1e", "1:20", "2020-01-01", "0b1", "-0x1"]
        {
            assert_eq!(resolve(text), Typed::Text, "{text}");
        }
        for (text, number) in [("0", 0), ("-12", -12), ("+3", 3), ("0644", 644), ("0x1F", 31), ("0o17", 15)] {
            assert_eq!(resolve(text), Typed::Int(number), "{text}");
        }
        for (text, number) in [("1.10", 1.1), (".5", 0.5), ("5.", 5.0), ("1e3", 1000.0), ("-1.5E-2", -0.015)] {
            assert_eq!(resolve(text), Typed::Float(number), "{text}");
        }
        assert_eq!(resolve(""), Typed::Null);
        assert_eq!(resolve("~"), Typed::Null);
        assert_eq!(resolve("True"), Typed::Bool(true));
    }

    #[test]
    fn what_helm_reads_differently_is_known() {
        for (text, old) in [("yes", "true"), ("Off", "false"), ("0644", "420"), ("1_000", "1000"), ("0b11", "3")] {
            assert_eq!(old_meaning(text).as_deref(), Some(old), "{text}");
        }
        for text in ["0", "10", "true", "0x10", "0o10", "1.10", "08", "a_b", "yesterday", "1:20", "null"] {
            assert_eq!(old_meaning(text), None, "{text}");
        }
    }
}
