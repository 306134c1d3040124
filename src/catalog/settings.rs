//! What a person may want to decide about a service when it is added, read out of the values of its chart.

use serde_json::{Map, Value};

use super::{CatalogService, EmbeddedChart};

/// Values under which kilter's own charts keep what clients log in with.
const AUTH: &str = "auth";
/// Where they keep the size of their volume.
const SIZE: (&str, &str) = ("storage", "size");

/// One thing to decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Path of the value, for example `storage.size`.
    pub path: String,
    /// What kind of thing it is.
    pub kind: SettingKind,
    /// What it is when nobody says anything: a text of the chart, or a template of `catalog.yaml`.
    pub default: String,
    /// The fewest and the most characters of a text, as the schema has them.
    pub length: (usize, usize),
    /// What values.yaml says about it; empty when it says nothing.
    pub about: String,
}

/// The kinds of things to decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingKind {
    /// The image, and with it the version.
    Image,
    /// The size of the volume.
    Storage,
    /// A text that clients log in with.
    Login,
    /// Names of further things that the service makes: databases and the like.
    Names,
}

impl EmbeddedChart {
    /// Returns what there is to decide about this chart as a service of the catalog: image, storage, logins, names.
    ///
    /// # Panics
    /// Never: a test reads the values of every chart.
    pub fn settings(&self, service: &CatalogService) -> Vec<Setting> {
        let text = self.text("values.yaml");
        let values: Value = serde_yaml::from_str(text).expect("the values of kilter's own charts are YAML");
        let schema: Value = serde_json::from_str(self.text("values.schema.json")).unwrap_or_default();
        let setting = |path: &[&str], kind, default: &str| Setting {
            path: path.join("."),
            kind,
            default: default.to_owned(),
            length: length(&schema, path),
            about: comment(text, path),
        };
        let mut found = vec![setting(&["image"], SettingKind::Image, &service.image)];
        if let Some(size) = values[SIZE.0][SIZE.1].as_str() {
            found.push(setting(&[SIZE.0, SIZE.1], SettingKind::Storage, size));
        }
        let empty = Map::new();
        let auth = values[AUTH].as_object().unwrap_or(&empty);
        for (key, value) in auth {
            if let Some(default) = service.values[AUTH][key].as_str().or(value.as_str()) {
                found.push(setting(&[AUTH, key], SettingKind::Login, default));
            }
        }
        let names = |value: &Value, schema: &Value, at: &Value| value.is_array() && is_text(schema, &at["items"]);
        for (key, value) in auth {
            if names(value, &schema, &schema["properties"][AUTH]["properties"][key]) {
                found.push(setting(&[AUTH, key], SettingKind::Names, ""));
            }
        }
        for (key, value) in values.as_object().unwrap_or(&empty) {
            if names(value, &schema, &schema["properties"][key]) {
                found.push(setting(&[key], SettingKind::Names, ""));
            }
        }
        found
    }

    fn text(&self, path: &str) -> &'static str {
        let file = self.files.iter().find(|file| file.path == path);
        file.and_then(|file| std::str::from_utf8(file.bytes).ok()).unwrap_or_default()
    }
}

/// The fewest and the most characters that the schema of the value at a path takes; of one that may be empty, too, those of the
/// other choice: empty is for who writes values by hand.
fn length(root: &Value, path: &[&str]) -> (usize, usize) {
    let at = path.iter().fold(root, |schema, key| &resolved(root, schema)["properties"][*key]);
    let number = |schema: &Value, name: &str| schema[name].as_u64().and_then(|number| usize::try_from(number).ok());
    let bound = |name: &str| {
        let schema = resolved(root, at);
        let choices = schema["anyOf"].as_array().into_iter().flatten();
        number(schema, name).or_else(|| choices.into_iter().find_map(|choice| number(choice, name)))
    };
    (bound("minLength").unwrap_or(0), bound("maxLength").unwrap_or(usize::MAX))
}

/// A schema, or what it refers to.
fn resolved<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let referred = schema["$ref"].as_str().and_then(|at| root.pointer(at.strip_prefix('#')?));
    referred.unwrap_or(schema)
}

/// Tells whether a schema is that of a text, by itself or by reference.
fn is_text(root: &Value, schema: &Value) -> bool {
    resolved(root, schema)["type"] == "string"
}

/// The comment right above a value, or above the values it follows without a blank line.
fn comment(text: &str, path: &[&str]) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut from = 0;
    for (depth, key) in path.iter().enumerate() {
        let is = |line: &&str| indent(line) == depth * 2 && line.trim_start().starts_with(&format!("{key}:"));
        match lines[from..].iter().position(is) {
            Some(at) => from += at + 1,
            None => return String::new(),
        }
    }
    let column = (path.len() - 1) * 2;
    let above = lines[..from - 1].iter().rev().take_while(|line| !line.trim().is_empty() && indent(line) >= column);
    let mut comment: Vec<&str> = Vec::new();
    for line in above {
        match line.trim_start().strip_prefix('#') {
            Some(words) if indent(line) == column => comment.push(words.trim()),
            _ if comment.is_empty() => {}
            _ => break,
        }
    }
    comment.reverse();
    comment.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{CHARTS, chart, services};

    #[test]
    fn what_there_is_to_decide_about_a_database() {
        let settings = chart("postgres").unwrap().settings(&services()["postgres"]);
        let paths: Vec<_> = settings.iter().map(|setting| (setting.path.as_str(), setting.kind)).collect();
        use SettingKind::{Image, Login, Names, Storage};
        let expected = [
            ("image", Image),
            ("storage.size", Storage),
            ("auth.password", Login),
            ("auth.database", Login),
            ("auth.databases", Names),
        ];
        assert_eq!(paths, expected);
        assert_eq!(settings[2].default, "{{ .Password }}");
        assert!(settings[2].about.starts_with("Password of the user"), "{:?}", settings[2]);
        assert!(settings[4].about.starts_with("The database of the app"), "{:?}", settings[4]);
        assert_eq!(settings[1].about, "");
        assert_eq!((settings[2].length, settings[3].length), ((1, usize::MAX), (1, 63)));
    }

    #[test]
    fn every_service_has_an_image_first_and_only_paths_of_its_values() {
        for chart in CHARTS {
            let Some(service) = services().get(chart.name) else { continue };
            let values: Value = serde_yaml::from_str(chart.text("values.yaml")).unwrap();
            let settings = chart.settings(service);
            assert_eq!(settings[0].kind, SettingKind::Image, "{}", chart.name);
            for setting in settings {
                let pointer = format!("/{}", setting.path.replace('.', "/"));
                assert!(values.pointer(&pointer).is_some(), "{}: {}", chart.name, setting.path);
                assert!(!setting.about.contains('\n') && !setting.about.starts_with('#'));
            }
        }
    }
}
