export * from './health.js'
export * from './logger.js'
export * from './run-worker.js'
export * from './supervised.js'
