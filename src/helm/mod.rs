//! Releases in, helm's own bytes out: one `helm template` process per release whose inputs changed, none otherwise.

mod build_reads;
pub mod charts;
mod directory;
mod invocation;
mod packed;
#[cfg(feature = "cli")]
mod pull;
mod receipt;
mod references;
mod render;
mod schema;
mod subcharts;
mod verify;

use crate::ids::Digest;

pub use crate::values::{Chart, Release};
pub use invocation::{Helm, MAX_OUTPUT, TIMEOUT, ValuesFrom};
#[cfg(feature = "cli")]
pub use pull::{pull, unpack};
pub use receipt::{Receipt, ReceiptHelm};
pub use render::{Observer, Rendered, Renderer, Source, Stored};
pub use verify::{Verdict, verify};

/// Changes when kilter calls helm differently, so that older cached manifests are not taken for new ones.
pub const PROTOCOL: u32 = 1;

/// Returns the digest of every input of the render; two equal keys give equal bytes.
pub fn key(release: &Release, helm: &Digest) -> Digest {
    let inputs = serde_json::json!({
        "protocol": PROTOCOL,
        "helm": helm,
        "chart": release.chart.digest,
        "values": Digest::of(&release.values),
        "release": release.name,
        "flags": release.flags(),
        "hooks": release.hooks,
    });
    Digest::of(inputs.to_string().as_bytes())
}
