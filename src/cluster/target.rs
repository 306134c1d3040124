//! Which cluster an instance lives in, and how this machine reaches what runs there.

use super::Instance;
use crate::config::model::{Cluster, HostAccess, Provider};
use crate::diag::Result;
use crate::plan::FIRST_NODE_PORT;

/// The cluster of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// One that kilter makes with kind.
    Kind {
        /// Its name, `kilter-shop`.
        name: String,
    },
    /// One that exists.
    Context {
        /// The kubeconfig context.
        context: String,
        /// The registry that the cluster pulls from.
        registry: Option<String>,
    },
}

impl Target {
    /// Decides the cluster of an instance: `KILTER_CONTEXT` (`this_machines`) beats what kilter.yaml says.
    ///
    /// # Errors
    /// When the name of kind's cluster gets too long.
    pub fn of(instance: &Instance, cluster: &Cluster, this_machines: Option<&str>) -> Result<Self> {
        let context = match (this_machines, cluster.provider) {
            (Some(context), _) => Some(context.to_owned()),
            (None, Provider::Context) => cluster.context.clone(),
            (None, Provider::Kind) => None,
        };
        Ok(match context {
            Some(context) => Self::Context { context, registry: cluster.registry.clone() },
            None => Self::Kind { name: super::kind::cluster_name(instance)? },
        })
    }

    /// Returns the kubeconfig context.
    pub fn context(&self) -> String {
        match self {
            Self::Kind { name } => format!("kind-{name}"),
            Self::Context { context, .. } => context.clone(),
        }
    }

    /// Returns the cluster in words.
    pub fn shown(&self) -> String {
        match self {
            Self::Kind { name } => format!("the kind cluster `{name}`"),
            Self::Context { context, .. } => format!("the cluster of the context `{context}`"),
        }
    }

    /// Tells whether Tilt has to forward ports that have a NodePort: kind maps these to this machine, and so does a
    /// cluster of which kilter.yaml says `hostAccess: nodeport`; one that only this machine puts in kind's place does not.
    pub fn forwards(&self, cluster: &Cluster) -> bool {
        matches!(self, Self::Context { .. }) && cluster.provider == Provider::Kind
    }
}

impl Instance {
    /// Returns the instance with the ports that it really has: a cluster that exists and says `hostAccess: nodeport`
    /// has its NodePorts on this machine's loopback address as they are.
    #[must_use]
    pub fn with_access(mut self, cluster: &Cluster) -> Self {
        if cluster.provider == Provider::Context
            && cluster.host_access == Some(HostAccess::Nodeport)
            && let Some(first) = self.blocks.first_mut()
        {
            *first = FIRST_NODE_PORT;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Name;

    fn instance() -> Instance {
        Instance { project: Name::new("shop").unwrap(), name: None, blocks: vec![20000, 20048], tilt_port: 11000 }
    }

    #[test]
    fn this_machine_may_have_another_cluster() {
        let kind = Cluster::default();
        let target = Target::of(&instance(), &kind, None).unwrap();
        assert_eq!((target.context().as_str(), target.forwards(&kind)), ("kind-kilter-shop", false));
        let target = Target::of(&instance(), &kind, Some("colima")).unwrap();
        assert_eq!((target.context().as_str(), target.forwards(&kind)), ("colima", true));
        let given = Cluster { provider: Provider::Context, context: Some("team".into()), ..Cluster::default() };
        assert_eq!(Target::of(&instance(), &given, None).unwrap().context(), "team");
        assert_eq!(Target::of(&instance(), &given, Some("mine")).unwrap().context(), "mine");
    }

    #[test]
    fn node_ports_of_a_given_cluster_are_this_machines() {
        let cluster = Cluster {
            provider: Provider::Context,
            host_access: Some(HostAccess::Nodeport),
            context: Some("team".into()),
            ..Cluster::default()
        };
        let reached = instance().with_access(&cluster);
        assert_eq!((reached.host_port(3), reached.host_port(50)), (30003, 20050));
        assert_eq!(instance().with_access(&Cluster::default()), instance());
    }
}
