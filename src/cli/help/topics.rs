//! The texts of `kilter help`.

/// Something that is explained.
pub(super) struct Topic {
    /// The word to type.
    pub(super) name: &'static str,
    /// What it is about.
    pub(super) title: &'static str,
    /// The text.
    pub(super) text: &'static str,
}

/// The way through kilter.
pub(super) const START: &str = include_str!("start.txt");

/// Everything that is explained, in the order in which one meets it.
pub(super) const TOPICS: [Topic; 8] = [
    Topic { name: "services", title: "What the project needs: kilter.yaml", text: include_str!("services.txt") },
    Topic { name: "ports", title: "Addresses, ports and variables", text: include_str!("ports.txt") },
    Topic {
        name: "wizard",
        title: "Answering questions, and terminals of all kinds",
        text: include_str!("wizard.txt"),
    },
    Topic { name: "scripts", title: "kilter without a person: scripts and CI", text: include_str!("scripts.txt") },
    Topic { name: "lock", title: "The same bytes everywhere: kilter.lock", text: include_str!("lock.txt") },
    Topic { name: "ejecting", title: "Taking a part into your own hands", text: include_str!("ejecting.txt") },
    Topic { name: "production", title: "From the project to a shared cluster", text: include_str!("production.txt") },
    Topic { name: "agents", title: "Coding agents, and the guide for them", text: include_str!("agents.txt") },
];
