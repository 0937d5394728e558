/**
 * Resolves when all promises that are ready have run, and what they led to: within this turn of the event loop. Who
 * gathers messages waits for it after an answer, for whoever got an outcome may send the next one because of it.
 */
export const afterReady = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve))
