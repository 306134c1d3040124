//! The helper modules, compiled in.

/// A file of a helper module: its name and its text.
pub(super) type File = (&'static str, &'static str);

macro_rules! recipe {
    ($folder:literal $(, $extra:literal)*) => {
        &[
            ("go.mod", include_str!(concat!("../build/", $folder, "/go.mod"))),
            ("go.sum", include_str!(concat!("../build/", $folder, "/go.sum"))),
            $(($extra, include_str!(concat!("../build/", $folder, "/", $extra))),)*
        ]
    };
}

/// Returns the files of a recipe; `None` when there is none of this name.
pub(super) fn files(recipe: &str) -> Option<&'static [File]> {
    Some(match recipe {
        "helm-3.22.0" => recipe!("helm-3.22.0"),
        "helm-4.2.4" => recipe!("helm-4.2.4"),
        "helm-4.3.0" => recipe!("helm-4.3.0"),
        "kind-0.33.0" => recipe!("kind-0.33.0"),
        "kubectl-1.37.1" => recipe!("kubectl-1.37.1", "main.go"),
        "sops-3.13.3" => recipe!("sops-3.13.3"),
        "tilt-0.37.7" => recipe!("tilt-0.37.7", "index.html"),
        _ => return None,
    })
}
