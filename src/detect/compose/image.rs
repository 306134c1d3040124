//! Names of images, without what does not tell one product from another.

/// Registries and namespaces that hold Docker's own official images: <https://docs.docker.com/docker-hub/image-library/>,
/// <https://docs.aws.amazon.com/AmazonECR/latest/public/docker-official-images.html>,
/// <https://cloud.google.com/artifact-registry/docs/pull-cached-dockerhub-images>.
const OFFICIAL: [&str; 10] = [
    "docker.io/",
    "index.docker.io/",
    "registry-1.docker.io/",
    "registry.hub.docker.com/",
    "mirror.gcr.io/",
    "public.ecr.aws/docker/",
    "library/",
    "amd64/",
    "arm64v8/",
    "arm32v7/",
];

/// Returns an image without tag and digest, and without the registry where it is Docker's own.
pub(super) fn canonical(image: &str) -> String {
    let image = image.trim().split('@').next().unwrap_or_default();
    let slash = image.rfind('/').map_or(0, |at| at + 1);
    let end = image[slash..].find(':').map_or(image.len(), |at| slash + at);
    let mut name = &image[..end];
    while let Some(rest) = OFFICIAL.iter().find_map(|start| name.strip_prefix(start)) {
        name = rest;
    }
    name.to_ascii_lowercase()
}

/// Puts the default in place of `${POSTGRES_VERSION:-17}`; a variable without one stays as it is
/// (<https://docs.docker.com/reference/compose-file/interpolation/>).
pub(super) fn expanded(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let Some(length) = rest[start..].find('}') else { break };
        let inside = &rest[start + 2..start + length];
        let default = inside.split_once(":-").or_else(|| inside.split_once('-')).map(|(_, default)| default);
        out.push_str(&rest[..start]);
        out.push_str(default.unwrap_or("$"));
        rest = &rest[start + length + 1..];
    }
    out + rest
}

/// Tells whether an image is one of the project's own: a part of its name is a name of the project, or begins with it
/// (`acme/shop-worker`).
pub(super) fn is_of(image: &str, own: &[String]) -> bool {
    let begins = |part: &str, name: &str| {
        part.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_']))
    };
    image.split('/').any(|part| own.iter().any(|name| begins(part, name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_digests_and_docker_itself_are_left_out() {
        for (image, expected) in [
            ("postgres:17-alpine", "postgres"),
            ("docker.io/library/redis@sha256:00", "redis"),
            ("public.ecr.aws/docker/library/mysql:8.4", "mysql"),
            ("localhost:5000/acme/redis:7", "localhost:5000/acme/redis"),
            ("quay.io/minio/minio", "quay.io/minio/minio"),
            ("arm64v8/postgres", "postgres"),
            ("", ""),
        ] {
            assert_eq!(canonical(image), expected, "{image}");
        }
    }

    #[test]
    fn variables_become_their_defaults() {
        for (text, expected) in [
            ("${PG_IMAGE:-postgres:17}", "postgres:17"),
            ("postgres:${V-16}", "postgres:16"),
            ("${R}/app:1", "$/app:1"),
            ("a${", "a${"),
        ] {
            assert_eq!(expanded(text), expected);
        }
    }

    #[test]
    fn whole_parts_are_the_projects_own() {
        let own = ["shop".to_owned()];
        assert!(is_of("ghcr.io/acme/shop", &own) && is_of("shop/api", &own) && is_of("acme/shop-worker", &own));
        assert!(!is_of("shopify/cli", &own) && !is_of("postgres", &own));
    }
}
