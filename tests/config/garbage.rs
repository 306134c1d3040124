//! Whatever the bytes: a message or a result, never a panic, and edits only of what was asked for.

use kilter::config::edit::{Edit, add_service, remove_service};
use kilter::config::model::ServiceEntry;
use kilter::config::{self, lock};
use proptest::prelude::*;

use super::CATALOG;

/// Pieces that YAML is made of, in any order.
fn yaml_like() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "services:",
        "services: ",
        "- ",
        "-",
        "  ",
        " ",
        "\n",
        "\n",
        "\n  ",
        "\n- ",
        "\r\n",
        "\r",
        "\t",
        "redis",
        "postgres",
        "name: ",
        "port",
        ": ",
        ":",
        "1",
        "ü",
        "日",
        "\u{feff}",
        "\u{85}",
        "\u{2028}",
        "[",
        "]",
        "{",
        "}",
        ",",
        ", ",
        "#",
        " # c",
        "&a ",
        "*a",
        "<<: ",
        "!!str ",
        "!x ",
        "|",
        "|+\n",
        ">-\n",
        "'",
        "\"",
        "\\",
        "? ",
        "---",
        "\n---\n",
        "\n...\n",
        "%YAML 1.2\n",
        "null",
        "~",
        "env:\n",
        "image: ",
        "@",
        "`",
        "<<<<<<< a\n",
        "=======\n",
        ">>>>>>> b\n",
    ]);
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

fn names(text: &str) -> Option<Vec<String>> {
    let loaded = config::load("kilter.yaml", text, &CATALOG).ok()?;
    Some(loaded.config.services.unwrap_or_default().iter().map(|entry| entry.name().to_owned()).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics_and_edits_stay_edits(text in yaml_like(), bytes: Vec<u8>) {
        _ = config::text_of("kilter.yaml", &bytes);
        // The words are made when they are printed.
        _ = lock::parse("kilter.lock", &text).map_err(|error| error.to_string());
        _ = config::load("kilter.yaml", &text, &CATALOG).map_err(|error| error.to_string());
        let before = names(&text);
        if let Ok(Edit::Changed(new)) = add_service(Some(&text), &ServiceEntry::Name("mailpit".into()))
            && let Some(mut before) = before.clone()
        {
            before.push("mailpit".into());
            prop_assert_eq!(names(&new), Some(before), "{:?} → {:?}", text, new);
        }
        if let Ok(new) = remove_service(&text, "redis")
            && let Some(before) = before
        {
            let rest: Vec<String> = before.into_iter().filter(|name| name != "redis").collect();
            prop_assert_eq!(names(&new), Some(rest), "{:?} → {:?}", text, new);
        }
    }
}
