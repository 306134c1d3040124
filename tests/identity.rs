//! helm's own bytes, on every machine: the charts of the catalog and the projects of `tests/fixtures/projects`.

mod anywhere;
mod byhand;
mod canary;
mod container;
mod logins;
mod open_projects;
mod pinned;
mod projects;
mod supervisor;
mod texts;
mod unchanged;
mod verify;
mod whole;
