//! The pinned tools: find, download, verify, build from source. One store shared by all projects.
