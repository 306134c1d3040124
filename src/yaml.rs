//! YAML in and out. Everything kilter writes as YAML goes through [`emit`].

use crate::diag::{Error, Result};

/// Writes a value as YAML that YAML 1.1 and 1.2 readers read the same: block style, awkward strings quoted, no
/// folding, maps in their own order, a newline at the end.
///
/// # Errors
/// Never for values that came from JSON or YAML.
pub fn emit(value: &serde_json::Value) -> Result<String> {
    let options = serde_saphyr::ser_options! { folded_wrap_chars: 100_000, prefer_block_scalars: false };
    let mut text = String::new();
    serde_saphyr::to_fmt_writer_with_options(&mut text, value, options)
        .map_err(|error| Error::bug(format!("cannot write YAML: {error}")))?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn awkward_strings_stay_strings_for_old_readers() {
        let value = serde_json::json!({"on": "on", "a": "y", "n": "1_000", "t": "1:20", "e": "", "m": "a\nb\n",
            "long": "x ".repeat(90), "null": "~", "list": [1, "1", true], "map": {}, "octal": "010", "d": "2020-01-01"});
        let text = emit(&value).unwrap();
        let back: serde_json::Value = serde_yaml::from_str(&text).unwrap();
        assert_eq!(back, value, "{text}");
        insta::assert_snapshot!(text);
    }
}
