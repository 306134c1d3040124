//! The images that Tilt built of an app and left in docker.

use super::Docker;
use crate::diag::Result;

/// What the tags of Tilt's images begin with (`internal/build`, `ImageTagPrefix`).
const TAG: &str = "tilt-";

/// Deletes every image that Tilt built under this name. Layers that others share stay with these.
///
/// # Errors
/// When docker fails.
pub fn remove_built(docker: &Docker, name: &str) -> Result<()> {
    let all = docker.run(docker.call(["image", "ls", "--format", "{{.Repository}}:{{.Tag}}"]))?.text();
    let built: Vec<&str> = all.lines().filter(|image| is_built(image, name)).collect();
    if built.is_empty() {
        return Ok(());
    }
    docker.run(docker.call(["image", "rm"]).args(built)).map(drop)
}

/// Tells whether Tilt built an image under a name. With a registry, it puts all of the name behind its host, with `_` for
/// what separates (`internal/container/registry.go`, `escapeName`).
fn is_built(image: &str, name: &str) -> bool {
    let name = name.rsplit_once(':').map_or(name, |(name, _)| name);
    let Some((repository, tag)) = image.rsplit_once(':') else { return false };
    let escaped = name.replace(['/', ':', '@'], "_");
    tag.starts_with(TAG) && (repository == name || repository.rsplit_once('/').is_some_and(|(_, last)| last == escaped))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tilt_built_is_told_by_its_name() {
        let built = |image: &str| is_built(image, "kilter.local/shop/app:dev");
        assert!(built("kilter.local/shop/app:tilt-0a1b"));
        assert!(built("127.0.0.1:5009/kilter.local_shop_app:tilt-0a1b"));
        assert!(built("ghcr.io/acme/dev/kilter.local_shop_app:tilt-0a1b"));
        for other in [
            "kilter.local/shop/app:mine",
            "kilter.local/shop-2/app:tilt-0a1b",
            "127.0.0.1:5009/kilter.local_shop-2_app:tilt-0a1b",
            "127.0.0.1:5009/my_kilter.local_shop_app:tilt-0a1b",
            "<none>:<none>",
        ] {
            assert!(!built(other), "{other}");
        }
    }
}
