//! Charts that tests make: those of an earlier kilter, and small ones of a user's.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use kilter::helm::charts::{Files, digest_of, read_files};
use kilter::ids::Digest;

/// Returns a chart of the catalog as an earlier kilter had it: its files in the repository, with these changes
/// (file, what stands there now, what stood there then).
pub(crate) fn older(name: &str, changes: &[(&str, &str, &str)]) -> (Files, Digest) {
    let mut files = read_files(&super::root().join("vendor-charts").join(name), name).unwrap();
    files.remove("README.md");
    for (file, now, then) in changes {
        let text = String::from_utf8(files[*file].clone()).unwrap();
        assert!(text.contains(now), "{file} of {name} has no `{now}`");
        files.insert((*file).to_owned(), text.replace(now, then).into_bytes());
    }
    let digest = digest_of(&files);
    (files, digest)
}

/// The files of a small chart: one ConfigMap with the value `greeting`.
pub(crate) fn small(name: &str, version: &str) -> Files {
    let template = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\n  namespace: {{ .Release.Namespace }}\ndata:\n  greeting: {{ .Values.greeting | quote }}\n";
    BTreeMap::from([
        ("Chart.yaml".to_owned(), format!("apiVersion: v2\nname: {name}\nversion: {version}\n").into_bytes()),
        ("values.yaml".to_owned(), b"greeting: hello\n".to_vec()),
        ("templates/configmap.yaml".to_owned(), template.as_bytes().to_vec()),
    ])
}

/// Packs files as a chart archive: below a directory of the chart's name, gzipped.
pub(crate) fn archive(name: &str, files: &Files) -> Vec<u8> {
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    for (path, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, format!("{name}/{path}"), bytes.as_slice()).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

/// Writes the files of a chart into a directory.
pub(crate) fn write(dir: &Path, files: &Files) {
    for (path, bytes) in files {
        let path = dir.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        kilter::fsx::write(&path, bytes).unwrap();
    }
}
