use crate::detect::Detection;
use crate::detect::testing::{found, selected, tree};

fn project(items: &str) -> String {
    format!(
        "\u{feff}<Project Sdk=\"Microsoft.NET.Sdk.Web\">\n  <PropertyGroup><TargetFramework>net8.0</TargetFramework></PropertyGroup>\n{items}\n</Project>\n"
    )
}

fn one(items: &str) -> Detection {
    tree(&[("src/Api/Api.csproj", &project(items))]).detect_by_catalog()
}

fn item(inside: &str) -> String {
    format!("  <ItemGroup>\n    {inside}\n  </ItemGroup>")
}

#[test]
fn a_reference_is_selected_with_its_line_whatever_its_case() {
    let detection =
        one(&item("<PackageReference Include=\"npgsql.entityframeworkcore.postgresql\" Version=\"8.0.4\" />"));
    assert_eq!(selected(&detection), ["postgres"]);
    let evidence = &detection.findings[0].evidence[0];
    assert_eq!((evidence.file.as_str(), evidence.line), ("src/Api/Api.csproj", 4));
    let list = one(&item("<PackageReference Include=\"RabbitMQ.Client; StackExchange.Redis\" />"));
    assert_eq!(selected(&list), ["rabbitmq", "redis"]);
    let old = "<Project xmlns=\"http://schemas.microsoft.com/developer/msbuild/2003\"><ItemGroup><PackageReference Include=\"Npgsql\" /></ItemGroup></Project>";
    assert_eq!(selected(&tree(&[("A.fsproj", old)]).detect_by_catalog()), ["postgres"]);
}

#[test]
fn versions_and_updates_declare_nothing() {
    assert!(found(&one(&item("<PackageReference Update=\"Npgsql\" Version=\"8\" />"))).is_empty());
    assert!(found(&one("<!-- <PackageReference Include=\"Npgsql\" /> -->")).is_empty());
    let central = "<Project><ItemGroup><PackageVersion Include=\"Npgsql\" Version=\"8\" /></ItemGroup></Project>";
    assert!(found(&tree(&[("Directory.Packages.props", central)]).detect_by_catalog()).is_empty());
    let shared = "<Project><ItemGroup><PackageReference Include=\"Npgsql\" /></ItemGroup></Project>";
    assert_eq!(selected(&tree(&[("Directory.Build.props", shared)]).detect_by_catalog()), ["postgres"]);
}

#[test]
fn conditions_make_a_reference_optional_unless_they_ask_for_the_framework() {
    for (condition, confidence) in [
        ("'$(TargetFramework)' == 'net8.0'", 0.95),
        ("'$(Database)' == 'postgres'", 0.62),
        ("'$(Configuration)' == 'Debug'", 0.62),
    ] {
        let on_the_item = one(&item(&format!("<PackageReference Include=\"Npgsql\" Condition=\"{condition}\" />")));
        assert_eq!(on_the_item.findings[0].confidence, confidence, "{condition}");
        let around =
            one(&format!("<ItemGroup Condition=\"{condition}\"><PackageReference Include=\"Npgsql\" /></ItemGroup>"));
        assert_eq!(around.findings[0].confidence, confidence, "{condition}");
    }
    let private = "<PackageReference Include=\"Npgsql\"><PrivateAssets>all</PrivateAssets></PackageReference>";
    assert!(selected(&one(&item(private))).is_empty());
}

#[test]
fn projects_of_tests_are_for_development() {
    let npgsql = "<PackageReference Include=\"Npgsql\" />";
    for (file, items) in [
        ("src/Checks/Checks.csproj", item(&format!("{npgsql}<PackageReference Include=\"Microsoft.NET.Test.Sdk\" />"))),
        (
            "src/Checks/Checks.csproj",
            format!("<PropertyGroup><IsTestProject>true</IsTestProject></PropertyGroup>{}", item(npgsql)),
        ),
        ("src/Shop.IntegrationTests/Shop.IntegrationTests.csproj", item(npgsql)),
    ] {
        let detection = tree(&[(file, &project(&items))]).detect_by_catalog();
        assert_eq!(detection.findings[0].confidence, 0.62, "{file}");
    }
    let contest = tree(&[("src/Contest/Contest.csproj", &project(&item(npgsql)))]).detect_by_catalog();
    assert_eq!(selected(&contest), ["postgres"]);
    let container =
        item("<PackageReference Include=\"Testcontainers.PostgreSql\" /><PackageReference Include=\"xunit\" />");
    assert_eq!(selected(&one(&container)), ["postgres"]);
}

#[test]
fn what_says_nothing_about_a_database() {
    for name in [
        "Microsoft.EntityFrameworkCore",
        "Microsoft.EntityFrameworkCore.Relational",
        "Microsoft.EntityFrameworkCore.Sqlite",
        "Microsoft.EntityFrameworkCore.InMemory",
        "Dapper",
        "Hangfire.Core",
        "MassTransit",
        "OpenTelemetry.Instrumentation.StackExchangeRedis",
        "Acme.Npgsql",
    ] {
        assert!(found(&one(&item(&format!("<PackageReference Include=\"{name}\" />")))).is_empty(), "{name}");
    }
}

#[test]
fn several_databases_in_one_project_are_alternatives() {
    let both = "<PackageReference Include=\"Pomelo.EntityFrameworkCore.MySql\" /><PackageReference Include=\"Npgsql.EntityFrameworkCore.PostgreSQL\" />";
    let detection = one(&item(both));
    assert_eq!((selected(&detection), found(&detection)), (vec!["postgres"], vec!["mysql", "postgres"]));
}

#[test]
fn a_project_per_database_is_a_choice_too() {
    let text = |name: &str| project(&item(&format!("<PackageReference Include=\"{name}\" />")));
    let (postgres, mysql) = (text("Npgsql.EntityFrameworkCore.PostgreSQL"), text("Pomelo.EntityFrameworkCore.MySql"));
    let providers = [
        ("src/Migrations.PostgreSQL/Migrations.PostgreSQL.csproj", postgres.as_str()),
        ("src/Migrations.MySql/Migrations.MySql.csproj", &mysql),
    ];
    let detection = tree(&providers).detect_by_catalog();
    assert_eq!((selected(&detection), found(&detection)), (vec!["postgres"], vec!["mysql", "postgres"]));
    let services = [("src/Users/Users.csproj", postgres.as_str()), ("src/Orders/Orders.csproj", &mysql)];
    assert_eq!(selected(&tree(&services).detect_by_catalog()), ["mysql", "postgres"]);
    let alone = [("src/Migrations.MySql/Migrations.MySql.csproj", mysql.as_str())];
    assert_eq!(selected(&tree(&alone).detect_by_catalog()), ["mysql"]);
}

#[test]
fn older_and_other_lists_of_packages() {
    let config = "<?xml version=\"1.0\"?>\n<packages>\n  <package id=\"MongoDB.Driver\" version=\"2\" targetFramework=\"net48\" />\n  <package id=\"Npgsql\" version=\"4\" developmentDependency=\"true\" />\n</packages>\n";
    let detection = tree(&[("packages.config", config)]).detect_by_catalog();
    assert_eq!((selected(&detection), found(&detection)), (vec!["mongodb"], vec!["mongodb", "postgres"]));
    let paket = "Npgsql\nFile: A.fs\n# RabbitMQ.Client\n\ngroup Test\n  StackExchange.Redis\n";
    let detection = tree(&[("src/App/paket.references", paket)]).detect_by_catalog();
    assert_eq!((selected(&detection), found(&detection)), (vec!["postgres"], vec!["postgres", "redis"]));
}

#[test]
fn a_malformed_project_is_a_warning_with_its_place() {
    let detection =
        tree(&[("A.csproj", "<Project>\n  <ItemGroup>\n    <PackageReference Include=Npgsql />\n")]).detect();
    let place = detection.warnings[0].place.as_ref().unwrap();
    assert_eq!((place.file.as_str(), place.line), ("A.csproj", 3));
}

fn facts(detection: &Detection) -> (Option<&str>, Option<u16>, Option<&str>) {
    (
        detection.dev.as_ref().map(|found| found.value.as_str()),
        detection.port.as_ref().map(|found| found.value),
        detection.image.as_ref().map(|found| found.value.as_str()),
    )
}

#[test]
fn a_web_project_listens_where_it_is_reached() {
    let settings = "{\n \"profiles\": {\n  \"IIS Express\": {\"commandName\": \"IISExpress\", \"applicationUrl\": \"http://localhost:1\"},\n  \"http\": {\"commandName\": \"Project\",\n   \"applicationUrl\": \"https://localhost:7001;http://localhost:5123\"}\n }\n}\n";
    let files = [("src/Api/Api.csproj", project("")), ("src/Core/Core.csproj", project("").replace(".Web", ""))];
    let mut all: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    all.push(("src/Api/Properties/launchSettings.json", settings));
    let detection = tree(&all).detect();
    assert_eq!(
        facts(&detection),
        (
            Some("cd ./src/Api && dotnet watch --non-interactive run -- --urls http://0.0.0.0:5123"),
            Some(5123),
            Some("mcr.microsoft.com/dotnet/sdk:8.0")
        )
    );
    assert_eq!(detection.port.as_ref().unwrap().line, 5);
    let stack = detection.stack.unwrap();
    assert_eq!((stack.install.as_str(), stack.reloads), ("cd ./src/Api && dotnet restore Api.csproj", true));
}

#[test]
fn what_is_no_app_or_cannot_run_in_a_container() {
    let exe = |framework: &str| {
        format!(
            "<Project Sdk=\"Microsoft.NET.Sdk\"><PropertyGroup><OutputType>Exe</OutputType><TargetFramework>{framework}</TargetFramework></PropertyGroup></Project>"
        )
    };
    assert!(facts(&tree(&[("A.csproj", &exe("net9.0"))]).detect()).0.is_some());
    for text in [
        exe("net48"),
        exe("net8.0-windows"),
        "<Project Sdk=\"Microsoft.NET.Sdk\"></Project>".to_owned(),
        "<Project Sdk=\"Aspire.AppHost.Sdk/13.0\"><PropertyGroup><OutputType>Exe</OutputType></PropertyGroup></Project>".to_owned(),
    ] {
        assert_eq!(facts(&tree(&[("A.csproj", &text)]).detect()).0, None, "{text}");
    }
}
