#!/usr/bin/env python3
"""Measures detection on a monorepo of 50,000 files beside `rg --files`, in one run; prints a Markdown table. Started by scripts/bench.

The repository holds packages in every language that kilter reads, and installed and built files that .gitignore names beside them.
`kilter init --dry-run --json` walks it, reads the manifests and writes nothing; `rg --files` walks it and prints the names.
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

# Language, manifest, its text, where its sources are, their ending.
KINDS = [
    ("node", "package.json", PACKAGE, "src", ".ts"),
    ("maven", "pom.xml", POM, "src/main/java/com/acme/{name}", ".java"),
    ("gradle", "build.gradle.kts", GRADLE, "src/main/kotlin/com/acme/{name}", ".kt"),
    ("dotnet", "Service.csproj", CSPROJ, "Controllers", ".cs"),
    ("rust", "Cargo.toml", CARGO, "src", ".rs"),
    ("python", "pyproject.toml", PYPROJECT, "app", ".py"),
    ("go", "go.mod", GO, "internal", ".go"),
    ("deno", "deno.json", DENO, "routes", ".tsx"),
]
SOURCES = tuple(ending for *_, ending in KINDS)


def build(root, files, packages, ignored):
    """Makes the repository: `files` files in `packages` packages, and `ignored` files more that .gitignore names."""
    (root / ".git").mkdir()
    (root / ".gitignore").write_text("generated/\n*.log\n")
    (root / "gradle").mkdir()
    (root / "gradle/libs.versions.toml").write_text('[libraries]\npostgresql = { module = "org.postgresql:postgresql", version = "42" }\n')
    each = (files - 3 - packages) // packages
    for number in range(packages):
        language, manifest, text, sources, ending = KINDS[number % len(KINDS)]
        name = f"{language}{number}"
        folder = root / "packages" / name
        below = folder / sources.format(name=name)
        below.mkdir(parents=True)
        (folder / manifest).write_text(text.format(name=name))
        for source in range(each):
            part = below / f"part{source // 20}"
            part.mkdir(exist_ok=True)
            (part / f"file{source}{ending}").write_text("// nothing to read here\n")
        built = folder / "generated"
        built.mkdir()
        for file in range(ignored // packages):
            (built / f"package{file}.json").write_text("{}")
        (built / "package.json").write_text('{"dependencies": {"mongodb": "1"}}')


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kilter", required=True)
    parser.add_argument("--files", type=int, default=50_000)
    parser.add_argument("--packages", type=int, default=800)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    rg = shutil.which("rg")
    with tempfile.TemporaryDirectory(prefix="kilter-bench-") as scratch:
        root, home = Path(scratch) / "repository", Path(scratch) / "home"
        root.mkdir()
        home.mkdir()
        build(root, options.files, options.packages, ignored=20_000)
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
    ours = median(cost.wall for cost in costs["kilter"][1:])
    rows = [["what", "measured", "mark"]]
    rows.append([f"detection on {options.files:,} files, {options.packages} manifests", f"{ours * 1000:.0f} ms", ""])
    missed = []
    if rg:
        theirs = median(cost.wall for cost in costs["rg"][1:])
        rows.append(["`rg --files` on the same", f"{theirs * 1000:.0f} ms", ""])
        rows.append(["ratio", f"{ours / theirs:.2f}", "≤ 2"])
        missed += [f"{ours / theirs:.2f} times `rg --files`, of at most 2"] if ours > 2 * theirs else []
    rows.append(["peak memory", f"{max(cost.rss for cost in costs['kilter']) / 1024 / 1024:.1f} MB", "≤ 30 MB"])
    if seen:
        opened = [path for path in seen.opened if path.endswith(SOURCES) or "generated" in path]
        rows.append(["sources and ignored files opened", str(len(opened)), "0"])
        missed += [f"opened {path}" for path in opened[:3]]
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
