# Differs from alpine:3.22: it is Debian with glibc, so it shows that a program runs without Go, not that it runs on musl.
FROM kilter-test/debian:trixie
CMD ["/bin/sh"]
