//! Following a deploy until it is live, fails, or a newer one takes its place.

use std::time::{Duration, Instant};

use super::client::{Client, rest};
use crate::api::{AppId, DeployInfo, Phase};
use crate::diag::Result;

/// How often is asked: often at first, as a small change is live in seconds.
const SOON: Duration = Duration::from_millis(250);
const LATER: Duration = Duration::from_secs(1);
/// How long asking often goes on.
const AT_FIRST: Duration = Duration::from_secs(10);

/// How a deploy ended, as far as it was followed.
#[derive(Debug, Clone)]
pub enum Followed {
    /// It is live.
    Ready(DeployInfo),
    /// It failed; why, and the end of what its jobs said.
    Failed(DeployInfo),
    /// A newer one took its place.
    Superseded(DeployInfo),
    /// It goes on, but nobody waits any longer.
    OutOfTime(Option<DeployInfo>),
}

/// Follows a deploy for at most `patience`; `tell` is told each new state. A server that is away for a while is asked again.
///
/// # Errors
/// When the server refuses to answer, or kilter is interrupted.
pub fn follow(
    client: &Client,
    id: &AppId,
    deploy: &str,
    patience: Duration,
    tell: &dyn Fn(&DeployInfo),
    away: &dyn Fn(&str),
) -> Result<Followed> {
    let began = Instant::now();
    let mut last: Option<DeployInfo> = None;
    loop {
        match client.deploy_info(id, deploy)? {
            Ok(info) => {
                if last.as_ref().is_none_or(|last| (last.phase, &last.message) != (info.phase, &info.message)) {
                    tell(&info);
                }
                match info.phase {
                    Phase::Ready => return Ok(Followed::Ready(info)),
                    Phase::Failed => return Ok(Followed::Failed(info)),
                    Phase::Superseded => return Ok(Followed::Superseded(info)),
                    Phase::Accepted | Phase::Rendered | Phase::Committed | Phase::Reconciled => last = Some(info),
                }
            }
            // The deploy is accepted: that the server cannot be reached just now says nothing about it.
            Err(words) => away(&words),
        }
        let gone = began.elapsed();
        if gone >= patience {
            return Ok(Followed::OutOfTime(last));
        }
        let pause = if gone < AT_FIRST { SOON } else { LATER };
        rest(pause.min(patience - gone))?;
    }
}
