# One recipe, one image a function:  docker build --build-arg FUNCTION=todos -t todo-todos .
# FUNCTION is the name of a folder in functions/ with a main.ts. `--target test` runs the tests.
ARG BUILDER_IMAGE=docker.io/library/node:24-trixie-slim
ARG RUNTIME_IMAGE=gcr.io/distroless/nodejs24-debian13:nonroot

FROM ${BUILDER_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
COPY prisma/package.json prisma/schema.prisma prisma/prisma.config.ts prisma/
COPY functions/install.mjs functions/
# The optional secret is a CA bundle, for networks whose registry has a certificate of its own. It never enters a layer.
RUN --mount=type=secret,id=ca,required=false \
    if [ -s /run/secrets/ca ]; then export NODE_EXTRA_CA_CERTS=/run/secrets/ca npm_config_cafile=/run/secrets/ca; fi; \
    node functions/install.mjs

FROM dependencies AS test
COPY . .
RUN npm test

FROM dependencies AS bundle
ARG FUNCTION
COPY . .
RUN test -n "$FUNCTION" || { echo 'say which: --build-arg FUNCTION=todos' >&2; exit 1; }
RUN node functions/build.ts "$FUNCTION" && mv "dist/$FUNCTION" /bundle

FROM ${RUNTIME_IMAGE} AS function
ARG FUNCTION
LABEL org.opencontainers.image.title="todo-${FUNCTION}" \
      org.opencontainers.image.description="The ${FUNCTION} function of the todo backend" \
      org.opencontainers.image.licenses="MIT"
WORKDIR /app
COPY --from=bundle /bundle ./
ENV NODE_ENV=production
EXPOSE 8000
CMD ["main.js"]
