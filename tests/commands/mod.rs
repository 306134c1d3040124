//! The commands as people and scripts meet them: results on standard output, talk on standard error, JSON that parses.

mod add_and_remove;
mod apps;
mod begin;
mod deploy;
mod deploy_build;
mod deploy_secrets;
mod destroy;
mod doctor;
mod env;
mod forms;
mod guide;
mod help;
mod init;
mod login;
mod logs;
mod others;
mod restart;
mod status;
mod stop;
mod volumes;

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::project::{Project, command, write_script};
use crate::support::{helm, skip};

const PACKAGE: &str = "{\n  \"name\": \"shop\",\n  \"scripts\": {\"dev\": \"node server.js\"},\n  \"dependencies\": {\n    \"pg\": \"^8\",\n    \"ioredis\": \"^5\",\n    \"nodemailer\": \"^6\"\n  }\n}\n";

fn shop() -> Project {
    Project::new("shop").file("package.json", PACKAGE)
}

fn parsed(project: &Project, args: &[&str]) -> Value {
    let output = project.kilter(args).run();
    serde_json::from_str(&output.stdout)
        .unwrap_or_else(|error| panic!("{args:?}: {error}\n{}{}", output.stdout, output.stderr))
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}
