//! Extensions of PHP in the images of Docker (<https://hub.docker.com/_/php>), and Composer.
//!
//! The image brings scripts that build what is among PHP's own sources; the others come from PECL. What each needs of Debian to be
//! built is in its own documentation: <https://www.php.net/manual/en/extensions.alphabetical.php>, <https://pecl.php.net>.

use crate::detect::Stack;

/// The image that Composer is taken from (<https://hub.docker.com/_/composer>).
const COMPOSER: &str = "composer:2";

/// What Composer unpacks packages with.
const TOOLS: [&str; 2] = ["git", "unzip"];

/// Where an extension comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// PHP's own sources.
    Php,
    Pecl,
}

/// Extensions that the image lacks, where they come from, and Debian's packages that they are built with.
const EXTENSIONS: [(&str, Source, &[&str]); 41] = [
    ("amqp", Source::Pecl, &["librabbitmq-dev"]),
    ("apcu", Source::Pecl, &[]),
    ("bcmath", Source::Php, &[]),
    ("bz2", Source::Php, &["libbz2-dev"]),
    ("calendar", Source::Php, &[]),
    ("dba", Source::Php, &[]),
    ("ds", Source::Pecl, &[]),
    ("exif", Source::Php, &[]),
    ("ffi", Source::Php, &["libffi-dev"]),
    ("ftp", Source::Php, &["libssl-dev"]),
    ("gd", Source::Php, &["libfreetype6-dev", "libjpeg62-turbo-dev", "libpng-dev", "libwebp-dev"]),
    ("gettext", Source::Php, &[]),
    ("gmp", Source::Php, &["libgmp-dev"]),
    ("grpc", Source::Pecl, &["zlib1g-dev"]),
    ("igbinary", Source::Pecl, &[]),
    ("imagick", Source::Pecl, &["libmagickwand-dev"]),
    ("intl", Source::Php, &["libicu-dev"]),
    ("ldap", Source::Php, &["libldap-dev"]),
    ("memcached", Source::Pecl, &["libmemcached-dev", "libssl-dev", "zlib1g-dev"]),
    ("mongodb", Source::Pecl, &["libssl-dev"]),
    ("msgpack", Source::Pecl, &[]),
    ("mysqli", Source::Php, &[]),
    ("pcntl", Source::Php, &[]),
    ("pcov", Source::Pecl, &[]),
    ("pdo_mysql", Source::Php, &[]),
    ("pdo_pgsql", Source::Php, &["libpq-dev"]),
    ("pgsql", Source::Php, &["libpq-dev"]),
    ("rdkafka", Source::Pecl, &["librdkafka-dev"]),
    ("redis", Source::Pecl, &[]),
    ("shmop", Source::Php, &[]),
    ("soap", Source::Php, &["libxml2-dev"]),
    ("sockets", Source::Php, &[]),
    ("sysvmsg", Source::Php, &[]),
    ("sysvsem", Source::Php, &[]),
    ("sysvshm", Source::Php, &[]),
    ("tidy", Source::Php, &["libtidy-dev"]),
    ("uuid", Source::Pecl, &["uuid-dev"]),
    ("xdebug", Source::Pecl, &[]),
    ("xsl", Source::Php, &["libxslt1-dev"]),
    ("yaml", Source::Pecl, &["libyaml-dev"]),
    ("zip", Source::Php, &["libzip-dev"]),
];

/// What `gd` is to read beside PNG.
const GD: &str = "docker-php-ext-configure gd --with-freetype --with-jpeg --with-webp";

/// Returns the lines that bring Composer and the extensions of an app. What the image has, and what kilter does not know, is left
/// to Composer, which says what is missing.
pub(super) fn lines(stack: &Stack) -> Vec<String> {
    let wanted: Vec<_> =
        EXTENSIONS.iter().filter(|(name, ..)| stack.extensions.iter().any(|one| one == name)).collect();
    let of = |source: Source| -> Vec<&str> {
        wanted.iter().filter(|(_, from, _)| *from == source).map(|(name, ..)| *name).collect()
    };
    let (own, pecl) = (of(Source::Php), of(Source::Pecl));
    let mut debian: Vec<&str> =
        wanted.iter().flat_map(|(.., packages)| packages.iter().copied()).chain(TOOLS).collect();
    debian.sort_unstable();
    debian.dedup();
    let mut steps = vec![format!(
        "apt-get update && apt-get install -y --no-install-recommends {} && rm -rf /var/lib/apt/lists/*",
        debian.join(" ")
    )];
    steps.extend(own.contains(&"gd").then(|| GD.to_owned()));
    if !own.is_empty() {
        steps.push(format!("docker-php-ext-install {}", own.join(" ")));
    }
    if !pecl.is_empty() {
        steps.push(format!("pecl install {0} && docker-php-ext-enable {0}", pecl.join(" ")));
    }
    let composer = format!("COPY --from={COMPOSER} /usr/bin/composer /usr/local/bin/composer");
    steps.into_iter().map(|step| format!("RUN {step}")).chain([composer]).collect()
}
