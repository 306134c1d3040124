//! What the frameworks of Node do when nobody tells them otherwise.

use crate::detect::command;

/// A framework or dev server.
pub(super) struct Framework {
    /// Package whose presence in package.json shows it.
    pub package: &'static str,
    /// Programs that start it.
    pub programs: &'static [&'static str],
    /// Port it listens on by default.
    pub port: u16,
    /// Whether it takes the port from `PORT`.
    pub reads_port: bool,
    /// Flags that make its dev server listen beyond localhost, if it does not by itself: in a container nobody else
    /// would reach it.
    pub host: Option<&'static str>,
    /// Whether its dev command loads changed files by itself.
    pub reloads: bool,
}

const fn dev_server(
    package: &'static str,
    programs: &'static [&'static str],
    port: u16,
    reads_port: bool,
    host: Option<&'static str>,
) -> Framework {
    Framework { package, programs, port, reads_port, host, reloads: true }
}

/// A library whose port is in source code; these are the ports of its own examples, and such servers read `PORT` by custom.
const fn library(package: &'static str, port: u16) -> Framework {
    Framework { package, programs: &[], port, reads_port: true, host: None, reloads: false }
}

const HOST: Option<&str> = Some("--host 0.0.0.0");

/// Frameworks, those that contain others first (nearly everything brings vite along). Defaults as each documents them:
/// nextjs.org/docs/app/api-reference/cli/next, nuxt.com/docs/api/commands/dev, docs.astro.build/en/reference/cli-reference,
/// reactrouter.com/api/other-api/dev, angular.dev/cli/serve, gatsbyjs.com/docs/reference/gatsby-cli,
/// create-react-app.dev/docs/advanced-configuration, cli.vuejs.org/guide/cli-service.html, docusaurus.io/docs/cli,
/// docs.nestjs.com/first-steps, docs.adonisjs.com/guides/environment-variables, docs.strapi.io/cms/configurations/server,
/// docs.medusajs.com, vite.dev/config/server-options, parceljs.org/features/cli, 11ty.dev/docs/dev-server.
pub(super) const FRAMEWORKS: &[Framework] = &[
    dev_server("next", &["next"], 3000, true, None),
    dev_server("nuxt", &["nuxt", "nuxi"], 3000, true, HOST),
    dev_server("astro", &["astro"], 4321, false, HOST),
    dev_server("@react-router/dev", &["react-router"], 5173, false, HOST),
    dev_server("@remix-run/dev", &["remix"], 5173, false, HOST),
    dev_server("@angular/cli", &["ng"], 4200, false, HOST),
    dev_server("gatsby", &["gatsby"], 8000, false, HOST),
    dev_server("react-scripts", &["react-scripts"], 3000, true, None),
    dev_server("@vue/cli-service", &["vue-cli-service"], 8080, true, None),
    dev_server("@docusaurus/core", &["docusaurus"], 3000, false, HOST),
    Framework {
        package: "@nestjs/core",
        programs: &["nest"],
        port: 3000,
        reads_port: true,
        host: None,
        reloads: false,
    },
    Framework {
        package: "@adonisjs/core",
        programs: &["ace"],
        port: 3333,
        reads_port: true,
        host: None,
        reloads: false,
    },
    dev_server("@strapi/strapi", &["strapi"], 1337, true, None),
    dev_server("@medusajs/medusa", &["medusa"], 9000, true, None),
    library("express", 3000),
    library("fastify", 3000),
    library("koa", 3000),
    library("hono", 3000),
    library("@hapi/hapi", 3000),
    dev_server("vite", &["vite"], 5173, false, HOST),
    dev_server("parcel", &["parcel"], 1234, true, None),
    dev_server("@11ty/eleventy", &["eleventy"], 8080, false, None),
];

/// Tells whether a command itself names a dev server that loads changed files, as `npx next dev` does.
pub(in crate::detect) fn starts_dev_server(command: &str) -> bool {
    let mut servers = FRAMEWORKS.iter().filter(|framework| framework.reloads).flat_map(|framework| framework.programs);
    servers.any(|program| command::runs(command, program))
}
