//! What the parts of production say to one another: the KilterApp resource, the bodies of kilter-server's requests, names
//! and tokens. The command line, the server and the operator share it; it does no input or output.

#[cfg_attr(feature = "platform", expect(unreachable_pub, reason = "the derive makes further types in private places"))]
mod app;
mod check;
#[cfg(feature = "platform")]
#[expect(unreachable_pub, reason = "the derive makes further types in private places")]
mod host;
mod names;
#[cfg_attr(feature = "platform", expect(unreachable_pub, reason = "the derive makes further types in private places"))]
mod plan;
mod platform;
mod sealed;
mod status;
mod token;
mod wire;

#[cfg(feature = "platform")]
pub use app::KilterApp;
pub use app::{About, Component, KilterAppSpec, Resources, SecretRef, Template};
pub use check::check;
#[cfg(feature = "platform")]
pub use host::{KilterHost, KilterHostSpec};
pub use names::{AppId, RESERVED, deploy_id};
#[cfg(feature = "platform")]
pub use plan::KilterPlan;
pub use plan::{KilterPlanSpec, KilterPlanStatus, PLAN_MINUTES};
pub use platform::{Flux, Gateway, Platform};
pub use sealed::{MAX_SEALED, check_sealed, digest_of_sealed};
pub use status::{Condition, ConditionStatus, ConditionType, KilterAppStatus, Timeline};
pub use token::{Token, TokenError};
pub use wire::{
    AppInfo, DeployAccepted, DeployInfo, DeployRequest, Failure, FailureBody, Info, Logs, Phase, PlanAccepted,
    PlanInfo, PodLog, RollbackRequest,
};

/// API group of kilter's resources.
pub const GROUP: &str = "kilter.netshire.com";
/// Their version.
pub const VERSION: &str = "v1alpha1";
/// Namespace that KilterApps, the server and the operator live in.
pub const NAMESPACE: &str = "kilter-system";

/// Label of everything that belongs to an app: its name.
pub const LABEL_APP: &str = "kilter.netshire.com/app";
/// Label: the environment.
pub const LABEL_ENV: &str = "kilter.netshire.com/env";
/// Label: the organisation.
pub const LABEL_ORG: &str = "kilter.netshire.com/org";
/// Label of a rendered object: the revision it was rendered for.
pub const LABEL_REVISION: &str = "kilter.netshire.com/revision";
/// Label of a namespace that the operator made; the Gateway admits routes from these alone.
pub const LABEL_MANAGED: &str = "kilter.netshire.com/managed";
/// Annotation of a KilterApp: the deploys that were accepted, oldest first, as `deploy=digest of the request` with commas.
pub const ANNOTATION_ACCEPTED: &str = "kilter.netshire.com/accepted";
/// Annotation of a KilterApp: any text; a new one has the operator render again with the same spec.
pub const ANNOTATION_RERENDER: &str = "kilter.netshire.com/rerender";
/// Annotation of a KilterHost: when a deploy needed it last whose KilterApp did not have the host name yet.
pub const ANNOTATION_RENEWED: &str = "kilter.netshire.com/renewed";
/// Finalizer of a KilterApp: its part of the repository is not removed yet.
pub const FINALIZER: &str = "kilter.netshire.com/repository";

/// How many accepted deploys a KilterApp remembers, and how many revisions can be rolled back to.
pub const HISTORY: usize = 20;
