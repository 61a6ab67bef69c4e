# Smartflow: gateway, worker and migrate are one image, chosen by the command (docs/operations.md, "Containers").
# No BuildKit syntax line, no heredoc, no RUN option: any builder builds it, for amd64 and arm64.
ARG NODE_IMAGE=node:26-bookworm-slim

# 1. everything the build needs; only package files, so that this layer changes with them alone
# hadolint ignore=DL3006
FROM ${NODE_IMAGE} AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --include=dev --include=optional
COPY tsconfig.json tsconfig.build.json ./
COPY scripts scripts
COPY libs libs
COPY apps apps
RUN npm run build

# 2. what runs: no development packages, and none of the platform packages that bring a Node or a PostgreSQL for a first run
# hadolint ignore=DL3006
FROM ${NODE_IMAGE} AS modules
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
COPY docker/drop-platform-packages.cjs ./
RUN npm ci --omit=dev --include=optional && node drop-platform-packages.cjs

# 3. the image: Node, modules, code; own user, nothing writable but /data and /tmp
# hadolint ignore=DL3006
FROM ${NODE_IMAGE}
LABEL org.opencontainers.image.title="Smartflow" \
      org.opencontainers.image.description="One self-hosted gateway that governs how an organisation uses AI." \
      org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --gid 10001 smartflow \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin smartflow \
 && install --directory --owner=smartflow --group=smartflow --mode=0700 /data
WORKDIR /app
COPY --from=modules /build/node_modules node_modules
COPY --from=build /build/dist dist
COPY package.json LICENSE NOTICE ./
ENV NODE_ENV=production \
    SMARTFLOW_HOST=0.0.0.0 \
    SMARTFLOW_PORT=8080 \
    SMARTFLOW_DATA_DIR=/data
USER 10001:10001
VOLUME /data
EXPOSE 8080
# for the gateway; the worker, which serves nothing, gets its own in docker-compose.yml
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.SMARTFLOW_PORT}/health/ready`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# room for the calls of a busy moment in the young generation
ENTRYPOINT ["node", "--max-semi-space-size=32", "dist/apps/cli/src/main.js"]
CMD ["gateway"]
