# Stands in for golang:1.26-alpine. It is no Alpine. The context is this machine's own Go, under go/.
FROM kilter-test/debian:trixie
COPY go/ /usr/local/go/
ENV PATH=/go/bin:/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    GOPATH=/go GOTOOLCHAIN=local
# As in the original: anybody may write below GOPATH.
RUN mkdir -p /go/src /go/bin && chmod -R 1777 /go && go version
WORKDIR /go
