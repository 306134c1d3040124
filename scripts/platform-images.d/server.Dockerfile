# kilter-server. The context is a folder with the program alone: scripts/platform-images makes it. It needs glibc of the version it
# was linked against, or a later one.
ARG BASE=debian:bookworm-slim
FROM ${BASE}
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 65532 kilter \
    && useradd --key UID_MAX=65535 --uid 65532 --gid 65532 --home-dir /nonexistent --no-create-home --shell /usr/sbin/nologin kilter
COPY kilter-server /usr/local/bin/
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/kilter-server"]
