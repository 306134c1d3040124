# kilter-operator with what it runs: git, ssh for repositories that are reached so, ssh-keygen for signatures, and helm. The context
# is a folder with the two programs alone: scripts/platform-images makes it.
ARG BASE=debian:bookworm-slim
FROM ${BASE}
# The user has to be in /etc/passwd: ssh and ssh-keygen do nothing for one who is not.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates git openssh-client \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 65532 kilter \
    && useradd --key UID_MAX=65535 --uid 65532 --gid 65532 --home-dir /nonexistent --no-create-home --shell /usr/sbin/nologin kilter
COPY helm kilter-operator /usr/local/bin/
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/kilter-operator"]
