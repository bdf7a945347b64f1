# The image: two static programs and nothing else.
#
#   podman build -t roadbed:0.1.0 .     builds the programs in a container; `docker build` does the same
#   make image                          builds them with the cargo of this machine, and fetches nothing but crates
#
# docs/install.md has more, and how images for other architectures are made.

# Where the programs are built: an image with Rust 1.89 or newer on Debian.
ARG RUST=rust:1-bookworm

FROM ${RUST} AS build
RUN apt-get update && apt-get install -y --no-install-recommends protobuf-compiler libprotobuf-dev
WORKDIR /roadbed
COPY . .
# Static with glibc: nothing is looked up by name services or loaded at run time, so no library is missed. The target is
# named so that build scripts and macros, which cannot be static, are built without the flag.
RUN target="$(rustc -vV | sed -n 's/^host: //p')" \
    && RUSTFLAGS='-C target-feature=+crt-static' \
       cargo build --locked --profile dist --target "$target" -p roadbed -p cni \
    && mkdir /programs \
    && cp "target/$target/dist/roadbed" "target/$target/dist/roadbed-cni" /programs/

# The same as deploy/image/Dockerfile, which takes programs that are built already.
FROM scratch
COPY --from=build /programs/roadbed /programs/roadbed-cni /usr/bin/
ENV PATH=/usr/bin
ENTRYPOINT ["/usr/bin/roadbed"]
CMD ["agent"]
