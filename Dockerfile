# herd from source, for a machine with nothing but Docker and a network:
#
#     docker build --tag herd .
#
# The last stage is also in k8s/image/Dockerfile, for a binary that was built outside; a test compares the
# two.

FROM rust:1.95-slim-bookworm AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
# --target: build scripts and macros cannot be static, and with a target these flags do not reach them.
RUN target="$(rustc -vV | sed -n 's/^host: //p')" \
    && RUSTFLAGS="-C target-feature=+crt-static" CARGO_PROFILE_RELEASE_STRIP=symbols \
       cargo build --locked --release --package herd --bin herd --target "$target" \
    && mkdir -p /out/data \
    && cp "target/$target/release/herd" /etc/ssl/certs/ca-certificates.crt /out/

FROM scratch
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="herd" \
      org.opencontainers.image.description="Knows where things are and what is near them; no server leads" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
COPY --from=build /out/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
# A new volume takes its owner from the folder on which it is mounted.
COPY --from=build --chown=65532:65532 /out/data /data
COPY --from=build /out/herd /herd
USER 65532:65532
EXPOSE 12000 13000 14000
ENTRYPOINT ["/herd"]
CMD ["serve"]
