# One image for all apps. The command says which: apps/<name>/dist/main.js
FROM node:24-slim AS build
WORKDIR /build
COPY . .
# The optional packages are a Node and a PostgreSQL for machines without Docker.
RUN npm ci --omit=optional --ignore-scripts && npm run build && npm prune --omit=dev --omit=optional --ignore-scripts

FROM node:24-slim
WORKDIR /app
COPY --from=build /build/node_modules node_modules
COPY --from=build /build/libs libs
COPY --from=build /build/apps apps
# Where every app answers /metrics, and the workers /readyz; the gateway answers that on its API_PORT too.
ENV NODE_ENV=production HEALTH_PORT=8080 METRICS_PORT=8080
USER node
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["node", "-e", "fetch('http://127.0.0.1:' + (process.env.API_PORT ?? process.env.HEALTH_PORT) + '/readyz').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# kafkajs sets timers of negative length, about which Node 24 would write a warning each time.
ENTRYPOINT ["node", "--enable-source-maps", "--disable-warning=TimeoutNegativeWarning"]
CMD ["apps/gateway/dist/main.js"]
