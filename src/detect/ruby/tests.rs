use crate::detect::Detection;
use crate::detect::testing::{found, selected, tree};

fn gemfile(text: &str) -> Detection {
    tree(&[("Gemfile", text)]).detect()
}

const GEMFILE: &str = r##"# frozen_string_literal: true

source "https://rubygems.org"
git_source(:github) { |repo| "https://github.com/#{repo}.git" }

ruby "3.3.6"

gem "rails", "~> 8.0"
gem 'pg', '~> 1.5' # the database
gem("sidekiq",
    "~> 7.0",
    require: false)
# gem "bunny"
gem "mongoid", group: :test
gem "nats-pure", groups: %i[development test]

group :development, :test do
  gem "bunny"
  gem "debug", platforms: %i[mri windows]
end
group :maps, optional: true do
  gem "mailcatcher"
end
"##;

#[test]
fn gems_count_by_their_groups() {
    let detection = gemfile(GEMFILE);
    assert_eq!(found(&detection), ["mailpit", "mongodb", "nats", "postgres", "rabbitmq", "redis"]);
    assert_eq!(selected(&detection), ["postgres", "redis"]);
    let of = |name: &str| detection.findings.iter().find(|finding| finding.name == name).unwrap().evidence[0].clone();
    assert_eq!((of("postgres").line, of("redis").line, of("redis").package.as_str()), (9, 10, "sidekiq"));
    assert_eq!(of("rabbitmq").note, "bunny works with rabbitmq, for development only");
    assert!(detection.warnings.is_empty(), "{:?}", detection.warnings);
}

#[test]
fn where_a_gem_stands_decides_whether_it_is_selected() {
    for (text, chosen) in [
        ("gem 'pg', group: :production", true),
        ("gem 'pg', :group => [:development, :production]", true),
        ("gem 'pg', :groups => [:default, :test]", true),
        ("gem 'pg', group: :test", false),
        ("group :assets, :development do\n gem 'pg'\nend", false),
        ("group :worker do\n gem 'pg'\nend", true),
        ("group :db, optional: true do\n gem 'pg'\nend", false),
        ("group :test do\n gem 'x'\nend\ngem 'pg'", true),
        ("gem 'pg', platforms: :jruby", false),
        ("gem 'pg', platforms: [:ruby, :mswin]", true),
        ("platforms :jruby do\n gem 'pg'\nend", false),
        ("gem 'pg' if ENV['DB'] == 'pg'", false),
        ("gem 'pg' unless ENV['DB'] == 'mysql'", true),
        ("if ENV['DB'] == 'mysql'\n gem 'x'\nelse\n gem 'pg'\nend", true),
        ("if ENV['DB'] == 'pg'\n gem 'pg'\nend", false),
        ("case ENV['DB']\nwhen 'pg'\n gem 'pg'\nend", false),
        ("if_true(ENV['DB'] == 'pg') do\n gem 'pg'\nend", false),
        ("if RUBY_VERSION >= '3'\n gem 'pg', '2'\nelse\n gem 'pg', '1'\nend", true),
        ("if File.exist?('config/database.yml')\n gem 'pg'\nend", false),
        ("source 'https://x' do\n gem 'pg'\nend", true),
        ("x = if ENV['A'] then 1 else 2 end\ngem 'pg'", true),
        ("group(:test) do gem 'x' end\ngem 'pg'", true),
        ("install_if -> { RUBY_PLATFORM =~ /linux/ } do\n gem 'pg'\nend", true),
        ("[1].each do |n|\n gem 'x'\nend\ngem 'pg'", true),
    ] {
        let detection = gemfile(text);
        assert_eq!(found(&detection), ["postgres"], "{text}");
        assert_eq!(!selected(&detection).is_empty(), chosen, "{text}");
        assert!(detection.warnings.is_empty(), "{text}: {:?}", detection.warnings);
    }
}

#[test]
fn names_are_whole_and_comments_are_none() {
    let text =
        "=begin\ngem 'pg'\n=end\ngem 'pg_query'\ngem 'connection_pool'\ngem \"pg-#{x}\"\ngem name\n__END__\ngem 'pg'\n";
    assert!(found(&gemfile(text)).is_empty());
}

#[test]
fn gemspecs_and_the_gems_of_the_project_itself() {
    let spec = "Gem::Specification.new do |spec|\n  spec.name = \"shop\"\n  spec.description = <<~TEXT\n    It's \"it\n  TEXT\n  spec.add_dependency \"redis\", \">= 4\"\n  s.add_development_dependency 'pg'\nend\n";
    let detection =
        tree(&[("shop.gemspec", spec), ("Gemfile", "gemspec\n"), ("spec/dummy/Gemfile", "gem 'mysql2'\n")]).detect();
    assert_eq!((found(&detection), selected(&detection)), (vec!["postgres", "redis"], vec!["redis"]));
    assert!(detection.warnings.is_empty(), "{:?}", detection.warnings);
    let own = tree(&[("redis.gemspec", "s.name = 'redis'\n"), ("Gemfile", "gem 'redis', path: '.'\n")]).detect();
    assert!(found(&own).is_empty());
}

#[test]
fn the_first_statement_of_a_gemspec_counts() {
    for (text, scope) in [
        (
            "Gem::Specification.new do |spec|\n  spec.add_dependency \"redis\", \">= 4\"\n  spec.name = \"shop\"\nend\n",
            true,
        ),
        ("Gem::Specification.new { |spec|\n  spec.add_dependency \"redis\"\n}\n", true),
        ("Gem::Specification.new do |spec|\n\n  # why\n  spec.add_development_dependency('redis')\nend\n", false),
        ("Gem::Specification.new do |spec|\n  spec.files = a |\n    b\n  spec.add_dependency 'redis'\nend\n", true),
    ] {
        let detection = tree(&[("shop.gemspec", text)]).detect();
        assert_eq!((found(&detection), selected(&detection).len()), (vec!["redis"], usize::from(scope)), "{text}");
        assert!(detection.warnings.is_empty(), "{text}");
    }
    assert_eq!(found(&gemfile("x = a |\n  b\ngem 'pg'\n")), ["postgres"]);
    assert_eq!(found(&gemfile("%w[a].each do |name|\n  gem 'pg'\nend\n")), ["postgres"]);
}

#[test]
fn the_configuration_decides_between_adapters() {
    let both = ("Gemfile", "gem 'pg'\ngem 'mysql2'\n");
    assert_eq!(selected(&tree(&[both]).detect()), ["postgres"]);
    for (text, chosen) in [
        ("default: &default\n  adapter: mysql2\n\ndevelopment:\n  <<: *default\n", "mysql"),
        ("<% if true %>\ndevelopment:\n  adapter: \"mysql2\" # ours\n<% end %>\n", "mysql"),
        ("development:\n  adapter: <%= ENV.fetch(\"DB\", \"mysql2\") %>\n", "mysql"),
        ("development:\n  adapter: <%= ENV['DB'].presence || 'mysql2' %>\n", "mysql"),
        ("development:\n  url: mysql2://root@localhost/shop\n", "mysql"),
        ("development:\n  adapter: <%= ENV['mysql2'] %>\n", "postgres"),
        ("development:\n  adapter: <%= ENV.fetch('mysql2') %>\n", "postgres"),
        ("# adapter: mysql2\ntest:\n  adapter: mysql2\n", "postgres"),
        ("development:\n  adapter: [\n <%= \n :::\n", "postgres"),
    ] {
        let detection = tree(&[both, ("config/database.yml", text)]).detect();
        assert_eq!(selected(&detection), [chosen], "{text}");
        assert!(detection.warnings.is_empty());
    }
    let example = ("config/database.yml.example", "development:\n  adapter: postgis\n");
    assert_eq!(selected(&tree(&[example]).detect()), ["postgres"]);
    let cable = |text: &str| tree(&[("config/cable.yml", text)]).detect();
    assert_eq!(selected(&cable("development:\n  adapter: redis\n")), ["redis"]);
    let usual = cable("development:\n  adapter: async\nproduction:\n  adapter: redis\n");
    assert_eq!((found(&usual), selected(&usual).len()), (vec!["redis"], 0));
}

#[test]
fn malformed_files_are_warnings_with_a_line_and_the_rest_counts() {
    for (text, line, what) in [
        ("gem 'redis\ngem 'pg'\n", 1, "a string has no end"),
        ("gem 'x', [\ngem 'pg'\n", 1, "a bracket has no partner"),
        ("if RUBY_VERSION =~ /\\(/\n  gem 'pg'\nend\n", 0, ""),
        ("group :x do\ngem 'pg'\n", 1, "the block that begins here has no `end`"),
        ("gem 'pg'\nend\n", 2, "an `end` too many"),
    ] {
        let detection = gemfile(text);
        assert!(found(&detection).contains(&"postgres") || line == 1, "{text}");
        let warnings: Vec<_> =
            detection.warnings.iter().map(|w| (w.what.as_str(), w.place.as_ref().unwrap().line)).collect();
        match line {
            0 => assert!(warnings.is_empty(), "{text}: {warnings:?}"),
            line => assert_eq!(warnings, [(format!("`Gemfile` is malformed: {what}").as_str(), line)], "{text}"),
        }
    }
}

#[test]
fn rails_is_started_where_it_can_be_reached() {
    let rails = ("Gemfile", "ruby '~> 3.3.0'\ngem 'rails'\n");
    let vite = ("package.json", r#"{"scripts": {"dev": "vite"}, "devDependencies": {"vite": "7"}}"#);
    let detection = tree(&[rails, ("bin/rails", ""), ("Gemfile.lock", ""), vite]).detect();
    assert_eq!(detection.dev.unwrap().value, "bin/rails server -b 0.0.0.0 -p 3000 --pid=/tmp/rails.pid");
    assert_eq!((detection.port.unwrap().value, detection.image.unwrap().value), (3000, "ruby:3.3".to_owned()));
    let stack = detection.stack.unwrap();
    assert_eq!((stack.manager.as_str(), stack.install.as_str()), ("bundler", "bundle install"));
    assert_eq!(stack.manifests, ["Gemfile", "Gemfile.lock"]);
    assert!(stack.reloads);
    let processes =
        ("Procfile.dev", "web: env RUBY_DEBUG_OPEN=true bin/rails server -p 3100\ncss: bin/rails tailwindcss:watch\n");
    let detection = tree(&[rails, ("bin/rails", ""), processes, (".ruby-version", "ruby-3.4.1\n")]).detect();
    assert_eq!(detection.dev.unwrap().value, "env RUBY_DEBUG_OPEN=true bin/rails server -p 3100 -b 0.0.0.0");
    assert_eq!((detection.port.unwrap().value, detection.image.unwrap().value), (3100, "ruby:3.4.1".to_owned()));
}

#[test]
fn engines_and_tools_are_no_apps() {
    assert_eq!(gemfile("gem 'rails'\n").dev, None);
    assert_eq!(gemfile("gem 'cocoapods'\n"), Detection::default());
    let rack = tree(&[("Gemfile", "gem 'sinatra'\ngem 'puma'\n"), ("config.ru", "")]).detect();
    assert_eq!(
        (rack.dev.unwrap().value.as_str(), rack.port.unwrap().value),
        ("bundle exec puma -b tcp://0.0.0.0:9292", 9292)
    );
}

#[test]
fn versions_of_ruby() {
    for (text, image) in [
        ("ruby '3.3.6'", "ruby:3.3.6"),
        ("ruby '~> 3.2.0'", "ruby:3.2"),
        ("ruby '>= 3.0'", "ruby:3.4"),
        ("ruby file: '.ruby-version'", "ruby:3.4"),
        ("ruby 'jruby-9.4'", "ruby:3.4"),
    ] {
        let detection = gemfile(&format!("{text}\ngem 'rails'\n"));
        assert_eq!(detection.image.unwrap().value, image, "{text}");
    }
}

#[test]
fn a_gemfile_that_reads_more_is_installed_with_the_sources() {
    for text in [
        "gem 'rails'\neval_gemfile 'x'\n",
        "gem 'rails'\ngem 'a', path: 'a'\n",
        "gem 'rails'\ngemspec\n",
        "gem 'rails'\nx = File.read('a')\n",
    ] {
        let stack = gemfile(text).stack.unwrap();
        assert_eq!((stack.manifests.len(), stack.rebuild_on), (0, vec!["Gemfile".to_owned()]), "{text}");
    }
}
