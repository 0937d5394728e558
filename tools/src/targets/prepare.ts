import { SECOND } from '@barnabas/domain'
import { Problem } from '../problem.js'
import { prepareElasticMq } from './elasticmq.js'
import { findProgram } from './find-program.js'
import { prepareMoto } from './moto.js'
import { preparePubsub } from './pubsub.js'
import { prepareSchemaRegistry } from './schema-registry.js'

/** A server that is not there, and the tests that cannot be run without it. */
export interface MissingTarget {
  /** One line for the person at the terminal: what is missing, and what installs it. */
  readonly reason: string
  /** Regular expressions, each of a part of a test file's path. */
  readonly suites: readonly string[]
}

/** The suite of all types of the specification starts these side by side. */
const ALL_TYPES = 'test/e2e/destinations\\.e2e-spec'

interface Installed {
  readonly program: string
  readonly debianPackage: string
  readonly suites: readonly string[]
}

const INSTALLED: readonly Installed[] = [
  {
    program: '/usr/lib/rabbitmq/bin/rabbitmq-server',
    debianPackage: 'rabbitmq-server',
    suites: ['libs/drivers/src/rabbitmq/.*int-spec', ALL_TYPES],
  },
  { program: 'nats-server', debianPackage: 'nats-server', suites: ['libs/drivers/src/nats/.*int-spec'] },
  {
    program: 'redis-server',
    debianPackage: 'redis-server',
    suites: ['libs/drivers/src/redis-stream/.*int-spec'],
  },
  { program: 'mosquitto', debianPackage: 'mosquitto', suites: ['libs/drivers/src/mqtt/.*int-spec'] },
]

const BUILT: readonly { readonly prepare: () => Promise<void>; readonly suites: readonly string[] }[] = [
  { prepare: preparePubsub, suites: ['libs/drivers/src/gcp-pubsub/.*int-spec', ALL_TYPES] },
  {
    prepare: prepareMoto,
    suites: [
      'libs/drivers/src/aws-[a-z0-9]+/aws-[a-z0-9]+\\.int-spec',
      'libs/drivers/src/aws/aws-role\\.int-spec',
      ALL_TYPES,
    ],
  },
  { prepare: prepareElasticMq, suites: ['libs/drivers/src/aws-sqs/aws-sqs\\.elasticmq\\.int-spec'] },
  { prepare: prepareSchemaRegistry, suites: ['libs/drivers/src/kafka/kafka\\.registry\\.int-spec'] },
]

/**
 * Builds and fetches the servers of destination types that no package manager installs, once for a machine: minutes
 * the first time, nothing later. Resolves to what is missing: those that could not be built, and those of Debian's
 * packages that are not installed.
 */
export async function prepareTargets(say: (line: string) => void): Promise<readonly MissingTarget[]> {
  const missing = missingPrograms()
  // What is there already takes no time, and needs no word.
  const waiting = setTimeout(
    () => say('Building the servers that tests of destination types need, once (some minutes) …'),
    SECOND,
  )
  // One after the other: each takes all processors that there are.
  for (const { prepare, suites } of BUILT) {
    try {
      await prepare()
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      missing.push({ reason: error.message, suites })
    }
  }
  clearTimeout(waiting)
  return missing
}

/** What of Debian's packages is not installed. `where`: as `findProgram` takes it. */
export const missingPrograms = (...where: [path?: string, servers?: readonly string[]]): MissingTarget[] =>
  INSTALLED.filter(({ program }) => findProgram(program, ...where) === null).map(
    ({ program, debianPackage, suites }) => ({
      reason: `${program} is not installed: apt-get install ${debianPackage}`,
      suites,
    }),
  )
