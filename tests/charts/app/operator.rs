//! What kilter-operator writes is what the chart takes, and what helm prints is what the API server knows.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kilter::api::{
    AppId, Component, Flux, Gateway, KilterAppSpec, Platform, Resources, SecretRef, Template, check, digest_of_sealed,
};
use kilter::values::production_values;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{DEPLOY, IMAGE, MIGRATE, SEED, chart, full, jobs, objects_of, scenarios, values};
use crate::support;

fn id() -> AppId {
    AppId::new("acme", "shop", "prod").unwrap()
}

fn platform() -> Platform {
    Platform {
        domain: "apps.example.com".into(),
        gateway: Gateway { name: "public".into(), namespace: "gateways".into(), section: String::new() },
        peers: values()["peers"].as_array().unwrap().clone(),
        ..Platform::default()
    }
}

fn template() -> Template {
    Template { image: IMAGE.into(), port: 3000, replicas: 1, public: true, ..Template::default() }
}

/// What the operator hands helm.
fn written(template: Template, platform: &Platform, jobs: bool) -> Value {
    let (org, app, env) = id().into();
    let spec = KilterAppSpec { org, app, env, revision: 7, deploy: DEPLOY.into(), by: "ci".into(), template };
    serde_yaml::from_slice(&production_values(&id(), &spec, platform, jobs).unwrap()).unwrap()
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn variables(variables: &Value) -> BTreeMap<String, String> {
    serde_json::from_value(variables.clone()).unwrap()
}

/// The app of [`full`], as a deploy asks for it.
fn full_template(sealed: &str) -> Template {
    let values = full();
    let components = values["components"].as_array().unwrap().iter().map(|said| Component {
        name: said["name"].as_str().unwrap().into(),
        image: said["image"].as_str().map(Into::into),
        command: serde_json::from_value(said["command"].clone()).unwrap(),
        port: said["port"].as_u64().map(|port| port.try_into().unwrap()),
        variables: variables(&said["variables"]),
        route: said["path"].as_str().or(said["hostnames"][0].as_str()).map(Into::into),
    });
    Template {
        health: Some("/healthz?full=1".into()),
        command: words(&["node", "server.js", "--price=$5"]),
        replicas: 2,
        resources: serde_json::from_value(values["resources"].clone()).unwrap(),
        variables: variables(&values["variables"]),
        secrets: vec![
            SecretRef { name: "shop-keys".into(), sealed: Some(sealed.into()), external: false },
            SecretRef { name: "shared".into(), sealed: None, external: true },
        ],
        domains: words(&["www.example.org"]),
        components: components.collect(),
        ..template()
    }
}

#[test]
fn the_values_of_these_tests_are_those_of_the_operator() {
    assert_eq!(written(template(), &platform(), false), values());
    let platform = Platform {
        gateway: Gateway { section: "https".into(), ..platform().gateway },
        peers: full()["peers"].as_array().unwrap().clone(),
        pull_secrets: words(&["registry"]),
        read_only_root: true,
        flux: Flux { jobs_timeout: "15m".into(), ..Flux::default() },
        ..platform()
    };
    let with_digest = |mut values: Value| {
        values["secrets"][0]["digest"] = json!(digest_of_sealed("sealed"));
        values
    };
    assert_eq!(written(full_template("sealed"), &platform, false), with_digest(full()));
    for (migration, seed) in [(MIGRATE, &[][..]), (&[], SEED), (MIGRATE, SEED)] {
        let template = Template { migration: words(migration), seed: words(seed), ..full_template("sealed") };
        assert_eq!(written(template, &platform, true), with_digest(jobs(migration, seed)));
    }
    let internal = Template { public: false, ..full_template("sealed") };
    let internal = written(internal, &platform, false);
    assert_eq!((&internal["public"], &internal["hostnames"]), (&json!(false), &json!([])));
    let routes = internal["components"].as_array().unwrap().iter();
    assert!(routes.clone().all(|said| said.get("path").is_none() && said.get("hostnames").is_none()));
}

fn text() -> impl Strategy<Value = String> {
    "(?s).{0,12}"
}

fn an_image() -> impl Strategy<Value = String> {
    "([a-z0-9]{1,5}\\.[a-z]{2,3}(:[0-9]{2,4})?/)?[a-z0-9]{1,4}([._-][a-z0-9]{1,3}){0,2}(/[a-z0-9]{1,4}){0,2}(:[A-Za-z0-9_][A-Za-z0-9._-]{0,5})?"
}

fn a_digest() -> impl Strategy<Value = String> {
    "@sha256:[0-9a-f]{64}"
}

fn some_variables() -> impl Strategy<Value = BTreeMap<String, String>> {
    btree_map("[A-Za-z_][A-Za-z0-9_.-]{0,8}", text(), 0..4)
}

fn amounts() -> impl Strategy<Value = BTreeMap<String, String>> {
    let amount = "[+]?([0-9]{1,3}(\\.[0-9]{0,2})?|\\.[0-9])([eE][+-]?[0-9])?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?";
    btree_map(prop::sample::select(words(&["cpu", "memory", "ephemeral-storage"])), amount, 0..3)
}

fn a_domain() -> impl Strategy<Value = String> {
    "[a-z0-9]{1,4}(-[a-z0-9]{1,3})?(\\.[a-z0-9]{1,4}){1,3}"
}

fn a_component() -> impl Strategy<Value = Component> {
    let image = (an_image(), option::of(a_digest())).prop_map(|(image, digest)| image + &digest.unwrap_or_default());
    let route = prop_oneof!["/[!-~]{0,8}", a_domain()];
    let name = "[a-z0-9]([a-z0-9-]{0,6}[a-z0-9])?";
    let command = vec(text(), 0..3);
    let parts = (name, option::of(image), command, option::of(1..=u16::MAX), some_variables(), option::of(route));
    parts.prop_map(|(name, image, command, port, variables, route)| {
        let port = port.or(route.is_some().then_some(4000));
        Component { name, image, command, port, variables, route }
    })
}

fn a_template() -> impl Strategy<Value = Template> {
    let image = (an_image(), a_digest()).prop_map(|(image, digest)| image + &digest);
    let first = (image, 1..=u16::MAX, option::of("/[!-~]{0,12}"), vec(text(), 0..3), 0..=1000_u32, any::<bool>());
    let secret = ("[a-z0-9]([a-z0-9-]{0,6}[a-z0-9])?", option::of(text()));
    let second =
        (amounts(), amounts(), some_variables(), vec(secret, 0..2), vec(a_domain(), 0..3), vec(a_component(), 0..3));
    (first, second, vec(text(), 1..3), vec(text(), 0..3)).prop_map(|(first, second, migration, seed)| {
        let (image, port, health, command, replicas, public) = first;
        let (requests, limits, variables, secrets, domains, components) = second;
        let resources = Resources { requests, limits };
        let secrets = secrets.into_iter().map(|(name, sealed)| SecretRef { name, external: sealed.is_none(), sealed });
        let secrets = secrets.collect();
        Template {
            image,
            port,
            health,
            command,
            replicas,
            resources,
            variables,
            secrets,
            public,
            domains,
            components,
            migration,
            seed,
            ..Template::default()
        }
    })
}

/// The chart's own values under those of the operator, as helm lays them.
fn coalesced(values: Value) -> Value {
    let mut all = chart("kilter-app").values;
    all.as_object_mut().unwrap().extend(values.as_object().unwrap().clone());
    all
}

#[test]
fn what_the_checks_let_through_the_schema_takes() {
    let schema = jsonschema::validator_for(&chart("kilter-app").schema).unwrap();
    proptest!(|(template in a_template())| {
        let mut unsealed = template.clone();
        // A sealed Secret of random text is refused, and is not what this is about.
        unsealed.secrets.iter_mut().for_each(|secret| (secret.sealed, secret.external) = (None, true));
        prop_assume!(check(&id(), &unsealed, &platform()).is_empty());
        for jobs in [false, true] {
            let values = coalesced(written(template.clone(), &platform(), jobs));
            let problems: Vec<_> = schema.iter_errors(&values).map(|error| format!("{} {error}", error.instance_path())).collect();
            prop_assert!(problems.is_empty(), "{:?}", problems);
        }
    });
}

/// Reads an object as its type and writes it again: a field that the type does not know is gone then.
fn typed<T: serde::de::DeserializeOwned + serde::Serialize>(object: &Value) -> Value {
    serde_json::to_value(serde_json::from_value::<T>(object.clone()).unwrap()).unwrap()
}

#[test]
fn every_field_is_one_of_the_kubernetes_api() {
    let Some(helm) = support::helm() else { return };
    for (scenario, values) in scenarios() {
        for object in &objects_of(&helm, &values) {
            let known = match object["kind"].as_str().unwrap() {
                "ServiceAccount" => typed::<ServiceAccount>(object),
                "Service" => typed::<Service>(object),
                "Deployment" => typed::<Deployment>(object),
                "Job" => typed::<Job>(object),
                "NetworkPolicy" => typed::<NetworkPolicy>(object),
                "PodDisruptionBudget" => typed::<PodDisruptionBudget>(object),
                // The Gateway API is not part of it.
                "HTTPRoute" => continue,
                kind => panic!("{scenario}: {kind}"),
            };
            assert_eq!(&known, object, "{scenario}");
        }
    }
}
