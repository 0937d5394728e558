import { SECOND } from '@barnabas/domain'
import { Problem } from '../problem.js'
import { prepareElasticMq } from './elasticmq.js'
import { prepareMoto } from './moto.js'
import { preparePubsub } from './pubsub.js'
import { prepareSchemaRegistry } from './schema-registry.js'

/**
 * Builds and fetches the servers of destination types that no package manager installs, once for a machine: minutes
 * the first time, nothing later. What is missing is said and left to the tests that need it.
 */
export async function prepareTargets(say: (line: string) => void): Promise<void> {
  // What is there already takes no time, and needs no word.
  const waiting = setTimeout(
    () => say('Building the servers that tests of destination types need, once (some minutes) …'),
    SECOND,
  )
  // One after the other: each takes all processors that there are.
  for (const prepare of [preparePubsub, prepareMoto, prepareElasticMq, prepareSchemaRegistry]) {
    try {
      await prepare()
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      say(`${error.message}\nThe tests that need it will fail.`)
    }
  }
  clearTimeout(waiting)
}
