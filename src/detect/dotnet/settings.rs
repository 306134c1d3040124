//! The settings of a .NET app: of its connection strings the names, and what tells which service each is about. Nothing else of
//! them is kept, as some hold passwords.

use crate::detect::env_files;
use crate::detect::files::Files;
use crate::detect::json::{Json, Objects};
use crate::detect::jsonc;
use crate::detect::places::split;

/// The files that a host reads in development
/// (<https://learn.microsoft.com/en-us/aspnet/core/fundamentals/configuration>).
const FILES: [&str; 2] = ["appsettings.json", "appsettings.Development.json"];

/// The object that holds them (<https://learn.microsoft.com/en-us/dotnet/api/system.configuration.connectionstringsettings>).
const SECTION: &str = "ConnectionStrings";

/// What stands before a name in a variable of the environment.
const PREFIX: &str = "ConnectionStrings__";

/// Keys that lead to a database server, in lower case; those of the drivers of SQL Server, PostgreSQL and MySQL.
const SERVERS: [&str; 6] = ["server", "host", "data source", "datasource", "address", "network address"];

/// Keys that name the database of a server, in lower case: brokers and mail servers have none.
const DATABASES: [&str; 3] = ["database", "initial catalog", "attachdbfilename"];

/// One entry of `ConnectionStrings`, or the variable of an example environment that holds such a one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::detect) struct ConnectionString {
    /// Its name; fit for the name of a variable.
    pub name: String,
    /// The variable by which it is given.
    pub variable: String,
    /// The scheme, where it is an address.
    pub scheme: Option<String>,
    /// The port that it names.
    pub port: Option<u16>,
    /// Whether it is one of a server of a relational database.
    pub is_database: bool,
    /// Its keys in lower case.
    pub keys: Vec<String>,
    /// Its file, relative to the project's root.
    pub file: String,
    /// Its line, counted from 1.
    pub line: usize,
}

/// Tells whether a file has the settings of an app.
pub(super) fn is_settings(name: &str) -> bool {
    FILES.contains(&name)
}

/// Returns the connection strings of all apps.
pub(in crate::detect) fn connection_strings(files: &Files<'_>) -> Vec<ConnectionString> {
    let settings = files.all().filter(|path| is_settings(split(path).1));
    let settings = settings.flat_map(|path| of_file(files, path).unwrap_or_default());
    let examples = files.all().filter(|path| env_files::is_for_development(path));
    settings.chain(examples.flat_map(|path| of_example(&files.read(path).unwrap_or_default(), path))).collect()
}

/// Returns those of an example environment: what has the name of one, and whatever holds one of a database.
fn of_example(text: &str, path: &str) -> Vec<ConnectionString> {
    let read = text.lines().enumerate().filter_map(|(number, line)| {
        let (variable, value) = env_files::assigned(line.trim())?;
        let value = env_files::unquoted(value);
        let name = variable.strip_prefix(PREFIX).filter(|name| !name.is_empty());
        // With a driver it is one of ODBC.
        let is_of_odbc = pairs(value).any(|(key, _)| matches!(key.as_str(), "driver" | "dsn"));
        (name.is_some() || is_database(value) && !is_of_odbc).then(|| ConnectionString {
            variable: variable.to_owned(),
            ..stated(name.unwrap_or(variable), value, path, number + 1)
        })
    });
    read.collect()
}

fn stated(name: &str, value: &str, file: &str, line: usize) -> ConnectionString {
    ConnectionString {
        name: name.to_owned(),
        variable: format!("{PREFIX}{name}"),
        scheme: value.split_once("://").map(|(scheme, _)| scheme.trim().to_ascii_lowercase()),
        port: port(value),
        is_database: is_database(value),
        keys: pairs(value).map(|(key, _)| key).collect(),
        file: file.to_owned(),
        line,
    }
}

fn of_file(files: &Files<'_>, path: &str) -> Option<Vec<ConnectionString>> {
    let objects = Objects { names: &[SECTION], or_empty_list: false };
    // What reads them takes comments (<https://learn.microsoft.com/en-us/dotnet/core/extensions/configuration-providers>).
    let json = Json::object(files, path, jsonc::plain, &objects)?;
    let entries = json.value[SECTION].as_object()?;
    let fit = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let read = entries
        .iter()
        .filter(|(name, _)| fit(name))
        .filter_map(|(name, value)| Some(stated(name, value.as_str()?, path, json.line(&[SECTION, name]))));
    Some(read.collect())
}

/// Returns the port of `Host=db;Port=5432`, `Server=db,1433`, `localhost:6379,password=…`, `amqp://localhost:5672`.
fn port(value: &str) -> Option<u16> {
    let digits = |text: &str| text.split(|c: char| !c.is_ascii_digit()).next().and_then(|port| port.parse().ok());
    let keyed = pairs(value).find(|(key, _)| key == "port").and_then(|(_, port)| digits(port));
    let server = pairs(value).find(|(key, _)| SERVERS.contains(&key.as_str())).map(|(_, server)| server);
    let host = server.unwrap_or_else(|| {
        let rest = value.split_once("://").map_or(value, |(_, rest)| rest);
        let rest = rest.split(['/', '?', ';']).next().unwrap_or_default();
        rest.rsplit('@').next().unwrap_or_default()
    });
    keyed.or_else(|| host.match_indices([':', ',']).find_map(|(at, _)| digits(&host[at + 1..])))
}

/// Tells whether a text is `Server=…;Database=…` and the like; a file is no server.
fn is_database(value: &str) -> bool {
    let is_file = |server: &str| {
        let server = server.to_ascii_lowercase();
        [".db", ".sqlite", ".sqlite3", ".db3", ":memory:"].iter().any(|end| server.ends_with(end))
    };
    !value.contains("://")
        && pairs(value).any(|(key, _)| DATABASES.contains(&key.as_str()))
        && pairs(value).any(|(key, server)| SERVERS.contains(&key.as_str()) && !server.is_empty() && !is_file(server))
}

/// The keys, in lower case, and values of a connection string.
fn pairs(value: &str) -> impl Iterator<Item = (String, &str)> {
    value.split(';').filter_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        Some((key.trim().to_ascii_lowercase(), value.trim()))
    })
}
