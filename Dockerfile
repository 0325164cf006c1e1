FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# chit version prints this argument. If it is not set, it prints the commit, which .git/HEAD and the refs show.
ARG VERSION
RUN head=$(sed 's/^ref: //' .git/HEAD 2>/dev/null || true); \
    commit=$(cat ".git/$head" 2>/dev/null || sed -n "s| $head$||p" .git/packed-refs 2>/dev/null || true); \
    CGO_ENABLED=0 go build -buildvcs=false -trimpath -ldflags "-s -w -X chit/app.version=${VERSION:-${commit:-$head}} -X chit/app.commit=${commit:-$head}" -o /chit .

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /chit /chit
# Chit writes no files, so the file system can be read-only. The user is a number, because there is no /etc/passwd.
USER 65532:65532
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s CMD ["/chit", "health"]
ENTRYPOINT ["/chit"]
