//! Listening: connections with limits of their own, and an orderly end.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use kube::api::Api;
use kube::core::DeserializeGuard;
use kube::runtime::{WatchStreamExt as _, reflector, watcher};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use super::audit::Log;
use super::auth;
use super::limits::Limits;
use super::metrics::Metrics;
use super::routes::router;
use super::stalled::Impatient;
use super::state::Server;
use crate::api::{KilterApp, Platform};
use crate::daemon::{WatchPause, stopped};
use crate::diag::{Error, Result};

/// How long clients may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// To send the head of a request.
    pub head: Duration,
    /// To take an answer, from when it takes nothing more for the first time.
    pub answer: Duration,
}

const PATIENCE: Patience = Patience { head: Duration::from_secs(10), answer: Duration::from_secs(60) };
/// How long running requests may go on after the server was told to stop.
const LAST_REQUESTS: Duration = Duration::from_secs(25);
/// Most connections at once.
const CONNECTIONS: usize = 2000;

/// What the server is started with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The settings of the platform.
    pub platform: Platform,
    /// Where it listens.
    pub listen: String,
    /// The namespace of the KilterApps.
    pub namespace: String,
    /// Requests per second and token.
    pub per_second: NonZeroU32,
    /// Requests at once.
    pub at_once: usize,
}

/// Serves until it is told to stop.
///
/// # Errors
/// When it cannot listen.
pub async fn run(client: kube::Client, settings: Settings) -> Result<()> {
    let listener = TcpListener::bind(&settings.listen)
        .await
        .map_err(|error| Error::io(format!("listen on {}", settings.listen), &error))?;
    tracing::info!(listen = settings.listen, "listens");
    let server = start(client, &settings, Log::new(std::io::stdout()));
    serve(listener, router(server), PATIENCE, stopped()).await;
    Ok(())
}

/// Starts the watches.
pub(super) fn start(client: kube::Client, settings: &Settings, audit: Log) -> Arc<Server> {
    let apps: Api<DeserializeGuard<KilterApp>> = Api::namespaced(client.clone(), &settings.namespace);
    let (store, writer) = reflector::store();
    let events = watcher(apps, watcher::Config::default()).backoff(WatchPause::default()).modify(
        |app: &mut DeserializeGuard<KilterApp>| {
            if let Ok(app) = &mut app.0 {
                slim(app);
            }
        },
    );
    tokio::spawn(reflector(writer, events).for_each(|event| async move {
        if let Err(error) = event {
            tracing::warn!(%error, "cannot watch the KilterApps");
        }
    }));
    let (tell, tokens) = watch::channel(None);
    tokio::spawn(auth::follow(Api::namespaced(client.clone(), &settings.namespace), tell));
    Arc::new(Server {
        client,
        namespace: settings.namespace.clone(),
        platform: settings.platform.clone(),
        apps: store,
        tokens,
        audit,
        limits: Limits::new(settings.per_second, settings.at_once),
        metrics: Metrics::new(),
    })
}

/// Leaves out what neither a list nor a host name needs: a thousand apps with their ciphertexts are hundreds of megabytes.
fn slim(app: &mut KilterApp) {
    app.metadata.managed_fields = None;
    app.metadata.annotations = None;
    let template = &mut app.spec.template;
    template.secrets = Vec::new();
    template.variables.clear();
    template.components.iter_mut().for_each(|component| component.variables.clear());
}

/// Accepts connections until `stop`, then lets running requests end.
pub(super) async fn serve(
    listener: TcpListener,
    router: axum::Router,
    patience: Patience,
    stop: impl Future<Output = ()>,
) {
    // HTTP/1.1 alone, as proxies speak it to what is behind them: a connection that first waits to see which version is spoken
    // waits for ever, as no time limit of hyper's covers that.
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(patience.head);
    let graceful = GracefulShutdown::new();
    let connections = Arc::new(Semaphore::new(CONNECTIONS));
    tokio::pin!(stop);
    loop {
        let place = tokio::select! {
            place = connections.clone().acquire_owned() => place,
            () = &mut stop => break,
        };
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await; // out of descriptors: until some are closed
                    continue;
                }
            },
            () = &mut stop => break,
        };
        let service = TowerToHyperService::new(router.clone());
        let connection =
            builder.serve_connection(TokioIo::new(Impatient::new(stream, patience.answer)), service).into_owned();
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended");
            }
            drop(place);
        });
    }
    drop(listener);
    if tokio::time::timeout(LAST_REQUESTS, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests did not end in time");
    }
}
