//! How a PHP app runs in dev.

use std::collections::BTreeSet;

use super::PhpPackage;
use crate::catalog::Ecosystem;
use crate::detect::app::Candidate;
use crate::detect::command;
use crate::detect::env_files::COMMITTED;
use crate::detect::files::Files;
use crate::detect::model::{Found, Stack};
use crate::detect::places::join;
use crate::detect::versions::php_minor;

/// The port on which the dev servers of Laravel and Symfony listen.
const PORT: u16 = 8000;

/// What begins the name of an extension where composer.json requires one.
const EXTENSION: &str = "ext-";

/// Drivers of the databases that Laravel and Doctrine open: neither of them requires the one that an app uses.
const DRIVERS: [&str; 2] = ["pdo_mysql", "pdo_pgsql"];

/// The client of Redis that Laravel takes unless another one is required (<https://laravel.com/docs/redis#phpredis>).
const REDIS: (&str, &str) = ("redis", "predis/predis");

/// Describes the app of every composer.json that has one of the big frameworks, or a page to begin with.
pub(in crate::detect) fn candidates(files: &Files<'_>, packages: &[PhpPackage]) -> Vec<Candidate> {
    packages.iter().filter_map(|package| candidate(files, package)).collect()
}

fn requires(package: &PhpPackage, name: &str) -> Option<usize> {
    package.json.value["require"].get(name).map(|_| package.json.line(&["require", name]))
}

fn is_laravel(files: &Files<'_>, package: &PhpPackage) -> bool {
    requires(package, "laravel/framework").is_some() && files.has(&join(&package.dir, "artisan"))
}

fn candidate(files: &Files<'_>, package: &PhpPackage) -> Option<Candidate> {
    let has = |name: &str| files.has(&join(&package.dir, name));
    // https://laravel.com/docs/artisan, https://www.php.net/manual/en/features.commandline.webserver.php; a library for a
    // framework names it, too, but has no console of its own. `--no-reload`: with it the server has the whole environment,
    // whatever files of environment there are (Illuminate\\Foundation\\Console\\ServeCommand).
    let (usual, line, dev) = if is_laravel(files, package) {
        let line = requires(package, "laravel/framework").unwrap_or(1);
        ("laravel/framework", line, "php artisan serve --host=0.0.0.0 --port=8000 --no-reload")
    } else if let Some(line) = requires(package, "symfony/framework-bundle").filter(|_| has("bin/console")) {
        ("symfony/framework-bundle", line, "php -S 0.0.0.0:8000 -t public")
    } else if has("public/index.php") {
        ("public/index.php", 1, "php -S 0.0.0.0:8000 -t public")
    } else if has("index.php") {
        ("index.php", 1, "php -S 0.0.0.0:8000")
    } else {
        return None;
    };
    let found = |value: &str| Found::new(value.to_owned(), &package.file, line, format!("usual with {usual}"));
    let name = package.json.text(&["name"]).map(|(name, line)| {
        let name = name.rsplit('/').next().unwrap_or_default().to_owned();
        Found::new(name, &package.file, line, "the name in composer.json")
    });
    Some(Candidate {
        dir: package.dir.clone(),
        ecosystem: Ecosystem::Php,
        // What `composer create-project` leaves behind is no name of the project.
        name: name.filter(|name| !["laravel", "skeleton", "website-skeleton"].contains(&name.value.as_str())),
        port: Some(Found::new(PORT, &package.file, line, format!("usual with {usual}"))),
        dev: Some(found(dev)),
        fixed_port: true,
        image: Some(image(package)),
        // PHP reads its files anew for every request.
        reloads: true,
        serves: true,
    })
}

/// Returns the base image: the version that `config.platform` says or `require` allows (<https://hub.docker.com/_/php>).
fn image(package: &PhpPackage) -> Found<String> {
    let image = |minor: Option<(u32, u32)>| {
        let (major, minor) = minor.unwrap_or(crate::detect::versions::PHP);
        format!("php:{major}.{minor}-cli")
    };
    for (path, note) in [
        (&["config", "platform", "php"][..], "the version of config.platform in composer.json"),
        (&["require", "php"], "fits the version in composer.json"),
    ] {
        if let Some((asked, line)) = package.json.text(path)
            && let Some(minor) = php_minor(asked)
        {
            return Found::new(image(Some(minor)), &package.file, line, note);
        }
    }
    Found::new(image(None), &package.file, 1, "kilter's default for PHP")
}

/// Returns how the app in `dir` is installed. Its own scripts, which Composer runs at the end, need the sources.
pub(in crate::detect) fn stack(files: &Files<'_>, packages: &[PhpPackage], dir: &str) -> Option<Stack> {
    let package = packages.iter().find(|package| package.dir == dir)?;
    let there = ["composer.json", "composer.lock"].map(|name| join(dir, name)).into_iter();
    // Symfony reads `.env` first of all, and has projects commit it.
    let symfony = requires(package, "symfony/dotenv").or_else(|| requires(package, "symfony/runtime")).is_some();
    let env = join(dir, COMMITTED);
    let is_committed = symfony && files.read_named(&env).is_some();
    let install = if symfony && !is_committed { "touch .env && composer install" } else { "composer install" };
    Some(Stack {
        ecosystem: Ecosystem::Php,
        manager: "composer".into(),
        manifests: Vec::new(),
        rebuild_on: there.filter(|file| files.has(file)).collect(),
        install: command::in_dir(dir, install),
        extensions: extensions(files, package),
        keeps: is_committed.then_some(env).into_iter().collect(),
        reloads: false,
    })
}

/// Returns the extensions of PHP that the app needs, sorted: those that it and the packages of its lock require, and what its
/// framework takes without requiring it.
fn extensions(files: &Files<'_>, package: &PhpPackage) -> Vec<String> {
    let lock = files.read_quietly(&join(&package.dir, "composer.lock")).unwrap_or_default();
    let lock: serde_json::Value = serde_json::from_str(&lock).unwrap_or_default();
    let packages = ["packages", "packages-dev"].iter().filter_map(|section| lock[*section].as_array()).flatten();
    let requirements = packages.map(|package| &package["require"]);
    let requirements = requirements.chain(["require", "require-dev"].map(|section| &package.json.value[section]));
    let names = requirements.filter_map(serde_json::Value::as_object).flat_map(|required| required.keys());
    let names = names.filter_map(|name| Some(name.to_ascii_lowercase().strip_prefix(EXTENSION)?.to_owned()));
    let plain = |name: &String| name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    let mut extensions: BTreeSet<String> = names.filter(plain).collect();
    let opens_any = ["laravel/framework", "doctrine/orm", "doctrine/dbal", "doctrine/doctrine-bundle"];
    if opens_any.iter().any(|name| requires(package, name).is_some()) {
        extensions.extend(DRIVERS.map(str::to_owned));
    }
    if is_laravel(files, package) && requires(package, REDIS.1).is_none() {
        extensions.insert(REDIS.0.to_owned());
    }
    extensions.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use crate::detect::Detection;
    use crate::detect::testing::tree;

    fn app(files: &[(&str, &str)]) -> Detection {
        let detection = tree(files).detect();
        assert_eq!(detection.warnings, []);
        detection
    }

    #[test]
    fn frameworks_and_pages_are_apps() {
        let laravel = r#"{"name": "acme/shop", "require": {"php": "^8.2", "laravel/framework": "*"}}"#;
        let symfony = r#"{"name": "acme/shop", "require": {"symfony/framework-bundle": "*", "symfony/runtime": "*"}}"#;
        for (manifest, there, dev, install) in [
            (laravel, "artisan", "php artisan serve --host=0.0.0.0 --port=8000 --no-reload", "composer install"),
            (symfony, "bin/console", "php -S 0.0.0.0:8000 -t public", "touch .env && composer install"),
            (r#"{"name": "acme/shop"}"#, "public/index.php", "php -S 0.0.0.0:8000 -t public", "composer install"),
            (r#"{"name": "acme/shop"}"#, "index.php", "php -S 0.0.0.0:8000", "composer install"),
        ] {
            let vite = ("package.json", r#"{"scripts": {"dev": "vite"}}"#);
            let detection = app(&[("composer.json", manifest), (there, ""), vite]);
            assert_eq!(detection.dev.unwrap().value, dev);
            assert_eq!((detection.name.unwrap().value.as_str(), detection.port.unwrap().value), ("shop", 8000));
            assert_eq!(detection.image.unwrap().value, "php:8.4-cli");
            let stack = detection.stack.unwrap();
            assert_eq!((stack.install.as_str(), stack.reloads), (install, true));
            assert_eq!((stack.rebuild_on, stack.keeps), (vec!["composer.json".to_owned()], Vec::new()));
        }
        // Symfony's own file of environment is part of the sources, where it is committed.
        let files = [("composer.json", symfony), ("bin/console", ""), (".env", "APP_ENV=dev\n")];
        let stack = app(&files).stack.unwrap();
        assert_eq!((stack.keeps, stack.install.as_str()), (vec![".env".to_owned()], "composer install"));
        assert!(app(&[("composer.json", laravel)]).dev.is_none(), "a library");
    }

    #[test]
    fn the_image_has_the_version_that_the_project_allows() {
        let image = |manifest: &str| app(&[("composer.json", manifest), ("index.php", "")]).image.unwrap().value;
        assert_eq!(image(r#"{"require": {"php": "~8.2.0"}}"#), "php:8.2-cli");
        assert_eq!(image(r#"{"require": {"php": ">=8.1"}, "config": {"platform": {"php": "8.3.4"}}}"#), "php:8.3-cli");
        assert_eq!(image(r#"{"require": {"php": "*"}}"#), "php:8.4-cli");
    }

    #[test]
    fn extensions_are_those_of_the_app_its_packages_and_its_framework() {
        let extensions = |files: &[(&str, &str)]| app(files).stack.unwrap().extensions;
        let plain = r#"{"require": {"ext-pdo_pgsql": "*", "EXT-Intl": "*", "ext-a b": "*"}, "require-dev": {"ext-xdebug": "*"}}"#;
        let lock = r#"{"packages": [{"name": "a/b", "require": {"php": ">=8", "ext-gd": "*"}}], "packages-dev": []}"#;
        let files = [("composer.json", plain), ("composer.lock", lock), ("index.php", "")];
        assert_eq!(extensions(&files), ["gd", "intl", "pdo_pgsql", "xdebug"]);
        let laravel = |more: &str| format!("{{\"require\": {{\"laravel/framework\": \"12\"{more}}}}}");
        let (phpredis, predis) = (laravel(""), laravel(", \"predis/predis\": \"3\""));
        assert_eq!(extensions(&[("composer.json", &phpredis), ("artisan", "")]), ["pdo_mysql", "pdo_pgsql", "redis"]);
        assert_eq!(extensions(&[("composer.json", &predis), ("artisan", "")]), ["pdo_mysql", "pdo_pgsql"]);
        // A lock that cannot be read is no reason to warn: nothing else needs it.
        assert_eq!(extensions(&[("composer.json", plain), ("composer.lock", "{"), ("index.php", "")]).len(), 3);
    }
}
