//! The KilterHost resource: whose a host name is.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

/// The claim of an environment of an app on the host name that the object is named after. The server makes it before it writes the KilterApp.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "kilter.netshire.com",
    version = "v1alpha1",
    kind = "KilterHost",
    shortname = "khost",
    category = "kilter",
    namespaced,
    printcolumn(name = "Org", type_ = "string", json_path = ".spec.org"),
    printcolumn(name = "App", type_ = "string", json_path = ".spec.app"),
    printcolumn(name = "Env", type_ = "string", json_path = ".spec.env"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("self.spec == oldSelf.spec").message("a claim never changes hands; delete it instead")
)]
#[serde(rename_all = "camelCase")]
pub struct KilterHostSpec {
    /// The organisation.
    #[schemars(length(min = 1, max = 40))]
    pub org: String,
    /// The app.
    #[schemars(length(min = 1, max = 40))]
    pub app: String,
    /// The environment.
    #[schemars(length(min = 1, max = 20))]
    pub env: String,
}

#[cfg(test)]
mod tests {
    use kube::CustomResourceExt as _;

    use super::*;

    #[test]
    fn a_claim_is_of_one_app_for_ever() {
        let crd = serde_json::to_value(KilterHost::crd()).unwrap();
        assert_eq!(crd["metadata"]["name"], "kilterhosts.kilter.netshire.com");
        assert_eq!(crd["spec"]["scope"], "Namespaced");
        let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        assert_eq!(schema["x-kubernetes-validations"][0]["rule"], "self.spec == oldSelf.spec");
        assert_eq!(schema["properties"]["spec"]["required"], serde_json::json!(["app", "env", "org"]));
    }
}
