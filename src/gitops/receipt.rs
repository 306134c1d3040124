//! What the files of an app were made from: beside them in the repository, so that the repository alone tells what is deployed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Files;
use super::layout::receipt_path;
use crate::api::AppId;
use crate::ids::Digest;

/// The receipt of an app.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AppReceipt {
    /// The organisation.
    pub org: String,
    /// The app.
    pub app: String,
    /// The environment.
    pub env: String,
    /// `metadata.uid` of the KilterApp: one that was deleted and made again starts anew.
    pub uid: String,
    /// `metadata.generation` of the KilterApp.
    pub generation: i64,
    /// The revision.
    pub revision: u64,
    /// The deploy.
    pub deploy: String,
    /// The image.
    pub image: String,
    /// The annotation that asked for another render of the same spec.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub rerender: String,
    /// What each helm run was given and gave: phase → receipt.
    pub renders: BTreeMap<String, RenderReceipt>,
    /// Every other file of the app → digest of its bytes.
    #[serde(default)]
    pub files: BTreeMap<String, Digest>,
}

/// The receipt of one helm run (`helm::Receipt`): JSON that is read and written whole. An operator has those of all apps in
/// memory, so they are held as text, which takes a tenth of what a tree takes.
#[derive(Debug, Clone, PartialEq)]
pub struct RenderReceipt(Box<str>);

impl From<&serde_json::Value> for RenderReceipt {
    fn from(receipt: &serde_json::Value) -> Self {
        Self(receipt.to_string().into())
    }
}

impl Serialize for RenderReceipt {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let value: serde_json::Value = serde_json::from_str(&self.0).map_err(serde::ser::Error::custom)?;
        value.serialize(to)
    }
}

impl<'de> Deserialize<'de> for RenderReceipt {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        serde_json::Value::deserialize(from).map(|value| Self::from(&value))
    }
}

impl AppReceipt {
    /// Finds the receipt among the files of an app; `None` when there is none that can be read.
    pub fn of(namespace: &str, files: &Files) -> Option<Self> {
        serde_json::from_slice(files.get(&receipt_path(namespace))?).ok()
    }

    /// Tells whether it is of an app, whichever KilterApp that had.
    pub fn is_of(&self, id: &AppId) -> bool {
        (self.org.as_str(), self.app.as_str(), self.env.as_str()) == (id.org(), id.app(), id.env())
    }

    /// Notes the files that the receipt is about.
    pub(super) fn record(&mut self, files: &Files) {
        self.files = files.iter().map(|(path, bytes)| (path.clone(), Digest::of(bytes))).collect();
    }

    /// Returns the receipt as stored: indented JSON with a newline at the end.
    ///
    /// # Panics
    /// Never: a receipt is plain data.
    pub fn to_text(&self) -> String {
        serde_json::to_string_pretty(self).expect("a receipt is plain data") + "\n"
    }

    /// Tells whether these are the files that the receipt is about; `files` holds the receipt itself, too.
    pub fn describes(&self, files: &Files) -> bool {
        let others = files.iter().filter(|(path, _)| !path.ends_with("/receipt.json"));
        let found: BTreeMap<&String, Digest> = others.map(|(path, bytes)| (path, Digest::of(bytes))).collect();
        found.len() == self.files.len() && self.files.iter().all(|(path, digest)| found.get(path) == Some(digest))
    }
}
