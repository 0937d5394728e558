import { Problem } from '../problem.js'
import { prepareMoto } from './moto.js'
import { preparePubsub } from './pubsub.js'

/**
 * Builds and fetches the servers of destination types that no package manager installs, once for a machine: minutes
 * the first time, nothing later. What is missing is said and left to the tests that need it.
 */
export async function prepareTargets(say: (line: string) => void): Promise<void> {
  const waiting = setTimeout(
    () => say('Building the servers that tests of destination types need, once (some minutes) …'),
    SILENT_MS,
  )
  // One after the other: each takes all processors that there are.
  for (const prepare of [preparePubsub, prepareMoto]) {
    try {
      await prepare()
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      say(`${error.message}\nThe tests that need it will fail.`)
    }
  }
  clearTimeout(waiting)
}

/** What is built already takes no time, and needs no word. */
const SILENT_MS = 1_000
