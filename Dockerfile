# One image for every role: carillon api | worker | migrate.
FROM golang:1.26.8-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
RUN CGO_ENABLED=0 go build -buildvcs=false -trimpath -ldflags "-s -w -X main.version=$VERSION" -o /carillon ./cmd/carillon

FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates python3 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --no-create-home carillon
COPY --from=build /carillon /usr/local/bin/carillon
USER 10001
EXPOSE 8080
ENTRYPOINT ["carillon"]
CMD ["--help"]
