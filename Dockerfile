# One recipe, one image a function:  docker build --build-arg FUNCTION=todos -t todo-todos .
# FUNCTION is the name of a folder in functions/ with a main.ts.
# `--target test` runs the tests; `--target local` is `npm start` in a box, with a database of its own.
ARG BUILDER_IMAGE=docker.io/library/node:24-trixie-slim
ARG RUNTIME_IMAGE=gcr.io/distroless/nodejs24-debian13:nonroot

FROM ${RUNTIME_IMAGE} AS runtime

FROM ${BUILDER_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
COPY prisma/package.json prisma/
COPY functions/_build/install.mjs functions/_build/
# The optional secret is a CA bundle, for networks whose registry has a certificate of its own. It never enters a layer.
RUN --mount=type=secret,id=ca,required=false \
    if [ -s /run/secrets/ca ]; then export NODE_EXTRA_CA_CERTS=/run/secrets/ca npm_config_cafile=/run/secrets/ca; fi; \
    node functions/_build/install.mjs && rm -rf ~/.npm

FROM dependencies AS client
COPY prisma prisma
RUN node functions/_build/install.mjs

FROM client AS test
COPY . .
RUN npm test

FROM client AS sources
COPY tsconfig.json ./
COPY shared shared
COPY functions functions

FROM sources AS bundle
COPY --from=runtime /nodejs/bin/node /nodejs/bin/node
ARG FUNCTION
# Built on the runtime's own node: the code cache beside the bundle is ignored by any other version.
# Readable for everyone, whatever the umask was where the sources come from.
RUN /nodejs/bin/node functions/_build/bundle.ts "${FUNCTION:?say which: --build-arg FUNCTION=todos}" \
    && mv "dist/$FUNCTION" /function && chmod -R a+rX /function

FROM sources AS production
RUN npm prune --omit=dev --no-audit --no-fund

FROM ${BUILDER_IMAGE} AS local
# PostgreSQL wants its user to have a name.
RUN useradd --uid 65532 --user-group --home-dir /data --create-home --skel /dev/null nonroot
WORKDIR /app
COPY --from=production /app ./
USER 65532:65532
VOLUME /data
ENV HOST=0.0.0.0 DATA_DIRECTORY=/data
EXPOSE 8000
CMD ["node", "functions/local/main.ts"]

FROM runtime AS function
WORKDIR /function
COPY --from=bundle /function ./
USER 65532:65532
ENV NODE_ENV=production
EXPOSE 8000
# Room for what a start leaves behind, which the garbage collector would else go through four times before the first answer; and no more
# than that under load, when it would grow to what a large machine could spare.
CMD ["--min-semi-space-size=16", "--max-semi-space-size=16", "main.js"]
ARG FUNCTION
ARG RUNTIME_IMAGE
ARG VERSION=
ARG REVISION=
ARG CREATED=
ARG SOURCE=
LABEL org.opencontainers.image.title="todo-${FUNCTION}" \
      org.opencontainers.image.description="The ${FUNCTION} function of the todo backend on Knative" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.base.name="${RUNTIME_IMAGE}"
