#!/usr/bin/env python3
"""Measures detection on a monorepo of 50,000 files beside `rg --files`, in one run; prints a Markdown table. Started by scripts/bench.

The repository holds packages in every language that kilter reads, and installed and built files that .gitignore names beside them.
`kilter init --dry-run --json` walks it, reads the manifests and nothing else; `rg --files` walks it and prints the names.
"""

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from measure import median, run, table, trace  # noqa: E402

POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <artifactId>{name}</artifactId>
  <dependencies>
    <dependency><groupId>org.springframework.boot</groupId><artifactId>spring-boot-starter-web</artifactId></dependency>
    <dependency><groupId>org.postgresql</groupId><artifactId>postgresql</artifactId><scope>runtime</scope></dependency>
    <dependency><groupId>org.testcontainers</groupId><artifactId>junit-jupiter</artifactId><scope>test</scope></dependency>
  </dependencies>
</project>
"""
GRADLE = """plugins {{
    id("org.springframework.boot") version "3.5.6"
}}

dependencies {{
    implementation(platform("org.springframework.boot:spring-boot-dependencies:3.5.6"))
    implementation("org.springframework.boot:spring-boot-starter-data-redis") // {name}
    runtimeOnly(libs.postgresql)
    testImplementation("org.testcontainers:postgresql")
}}
"""
CSPROJ = """<Project Sdk="Microsoft.NET.Sdk.Web">
  <PropertyGroup><TargetFramework>net9.0</TargetFramework><RootNamespace>{name}</RootNamespace></PropertyGroup>
  <ItemGroup>
    <PackageReference Include="Npgsql.EntityFrameworkCore.PostgreSQL" Version="9.0.4" />
    <PackageReference Include="RabbitMQ.Client" Version="7.1.2" />
  </ItemGroup>
</Project>
"""
CARGO = """[package]
name = "{name}"

[dependencies]
axum = "0.8"
sqlx = {{ version = "0.8", features = ["postgres"] }}

[features]
default = []
"""
PACKAGE = """{{
  "name": "@acme/{name}",
  "scripts": {{"dev": "vite", "build": "vite build"}},
  "dependencies": {{"pg": "^8.11.0", "ioredis": "^5.4.0", "vite": "^7.0.0"}}
}}
"""
PYPROJECT = '[project]\nname = "{name}"\ndependencies = ["fastapi", "psycopg[binary]", "celery[redis]"]\n'
GO = "module acme.example/{name}\n\ngo 1.25\n\nrequire (\n\tgithub.com/jackc/pgx/v5 v5.7.1\n)\n"
DENO = '{{\n  // tasks\n  "name": "@acme/{name}",\n  "imports": {{"pg": "npm:pg@^8", "redis": "jsr:@db/redis"}},\n}}\n'

GEMFILE = "source 'https://rubygems.org'\n\ngem 'rails' # {name}\ngem 'pg'\n"
COMPOSER = '{{"name": "acme/{name}", "require": {{"slim/slim": "^4", "predis/predis": "^3"}}}}\n'
MIX = """defmodule {name}.MixProject do
  use Mix.Project

  defp deps do
    [{{:phoenix, "~> 1.8"}}, {{:postgrex, ">= 0.0.0"}}]
  end
end
"""

# Language, its manifests with their texts, where its sources are, their ending, files with names that kilter knows and that are not
# to be read: lockfiles, entries of programs, wrappers. composer.lock is a manifest: it says which extensions of PHP an image needs.
KINDS = [
    ("node", {"package.json": PACKAGE}, "src", ".ts", ["pnpm-lock.yaml", "package-lock.json", "yarn.lock", "bun.lock", ".npmrc"]),
    ("maven", {"pom.xml": POM}, "src/main/java/com/acme/{name}", ".java", ["mvnw"]),
    ("gradle", {"build.gradle.kts": GRADLE}, "src/main/kotlin/com/acme/{name}", ".kt", ["gradlew"]),
    ("dotnet", {"Service.csproj": CSPROJ}, "Controllers", ".cs", ["packages.lock.json"]),
    ("rust", {"Cargo.toml": CARGO}, "src", ".rs", ["Cargo.lock", "src/main.rs"]),
    ("python", {"pyproject.toml": PYPROJECT}, "app", ".py", ["uv.lock", "poetry.lock", "main.py", "manage.py", "app/__init__.py"]),
    ("go", {"go.mod": GO}, "internal", ".go", ["go.sum", "main.go"]),
    ("deno", {"deno.json": DENO}, "routes", ".tsx", ["deno.lock", "main.ts"]),
    ("ruby", {"Gemfile": GEMFILE}, "app/models", ".rb", ["Gemfile.lock", "config.ru", "bin/rails"]),
    ("php", {"composer.json": COMPOSER, "composer.lock": "{{}}\n"}, "src/Controller", ".php", ["public/index.php", "bin/console"]),
    ("elixir", {"mix.exs": MIX}, "lib/{name}", ".ex", ["mix.lock"]),
]
# What lies in any project, real environments among it (`.env` is read where Symfony has it committed, which none of these has).
OTHERS = [".env", ".env.local", "README.md", "notes.txt", "data.json", "mkdocs.yml", "Makefile"]


def build(root, files, packages, ignored):
    """Makes the repository: `files` files in `packages` packages, and `ignored` files more that .gitignore names. Returns what may be read: the
    manifests and .gitignore."""
    readable = set()

    def write(path, text):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def manifest(path, text):
        write(path, text)
        readable.add(str(path))

    (root / ".git").mkdir()
    manifest(root / ".gitignore", "generated/\n*.log\n")
    manifest(root / "gradle/libs.versions.toml", '[libraries]\npostgresql = { module = "org.postgresql:postgresql", version = "42" }\n')
    for number in range(packages):
        language, manifests, sources, ending, others = KINDS[number % len(KINDS)]
        name = f"{language}{number}"
        folder = root / "packages" / name
        for file, text in manifests.items():
            manifest(folder / file, text.format(name=name))
        for file in others + OTHERS:
            write(folder / file, "REDIS_URL=redis://localhost\n")
        for source in range(files // packages - len(manifests) - len(others) - len(OTHERS)):
            write(folder / sources.format(name=name) / f"part{source // 20}" / f"file{source}{ending}", "// nothing to read here\n")
        for file in range(ignored // packages):
            write(folder / f"generated/package{file}.json", "{}")
        write(folder / "generated/package.json", '{"dependencies": {"mongodb": "1"}}')
    return readable


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kilter", required=True)
    parser.add_argument("--files", type=int, default=50_000)
    parser.add_argument("--packages", type=int, default=800)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    rg = shutil.which("rg")
    with tempfile.TemporaryDirectory(prefix="kilter-bench-") as scratch:
        root, home = Path(scratch).resolve() / "repository", Path(scratch) / "home"
        root.mkdir()
        home.mkdir()
        readable = build(root, options.files, options.packages, ignored=20_000)
        env = {"PATH": "/usr/bin:/bin", "HOME": str(home), "NO_COLOR": "1"}
        detect = [options.kilter, "init", "--dry-run", "--json", "--no-input"]
        # Once each before it counts: the names are then in the kernel's memory for both.
        costs = {"kilter": [run(detect, env, root)]}
        if rg:
            costs["rg"] = [run([rg, "--files"], env, root)]
        for _ in range(options.rounds):
            for name, argv in (("kilter", detect), ("rg", [rg, "--files"])):
                if name in costs:
                    costs[name].append(run(argv, env, root))
        found = {service["name"] for service in json.loads(costs["kilter"][-1].out)["services"]}
        seen = trace(detect, env, root)
        opened = {str(root / path) for path in seen.opened} if seen else set()
        read = {path for path in opened if path.startswith(f"{root}/") and not Path(path).is_dir()}
    ours = median(cost.wall for cost in costs["kilter"][1:])
    rows = [["what", "measured", "mark"]]
    rows.append([f"detection on {options.files:,} files, {len(readable) - 1} manifests", f"{ours * 1000:.0f} ms", ""])
    missed = []
    if rg:
        theirs = median(cost.wall for cost in costs["rg"][1:])
        rows.append(["`rg --files` on the same", f"{theirs * 1000:.0f} ms", ""])
        rows.append(["ratio", f"{ours / theirs:.2f}", "≤ 2"])
        missed += [f"{ours / theirs:.2f} times `rg --files`, of at most 2"] if ours > 2 * theirs else []
    memory = max(cost.rss for cost in costs["kilter"]) / 1024 / 1024
    rows.append(["peak memory", f"{memory:.1f} MB", "≤ 30 MB"])
    missed += [f"{memory:.1f} MB, of at most 30"] if memory > 30 else []
    if seen:
        others = sorted(read - readable)
        rows.append(["files opened below it that are no manifests", str(len(others)), "0"])
        missed += [f"opened {path}" for path in others[:3]]
        missed += [] if read & readable else ["no manifest was seen to be opened: what strace says is not understood"]
    missed += ["a manifest that .gitignore names was read"] if "mongodb" in found else []
    missed += [f"{name} was not found" for name in ("postgres", "redis", "rabbitmq") if name not in found]
    table(rows)
    if not rg:
        print("skipped: the ratio, for want of `rg` on the search path")
    if not seen:
        print("skipped: what was opened, for want of a strace that may look")
    for what in missed:
        print(f"missed: {what}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
