import { setTimeout as wait } from 'node:timers/promises'
import { atMost, auditChecks, check } from '../checks.js'
import { PROBE_PREFIX } from '../events.js'
import { KafkaView } from '../kafka-view.js'
import { patiently } from '../patience.js'
import type { Outcome, Recipe } from '../recipe.js'
import type { World } from '../world.js'
import { addSteadyLoad, STEADY_RATE } from './steady-load.js'

/** Apart from the load, so that nothing but the partition is shared with it. */
const BESIDE = 'ingest'
const LIMIT_MS = 1_000
/** What takes longer is waited for at the end, where it may only be late and not lost. */
const GIVE_UP_MS = 15_000
const LOOK_MS = 20
const PARTITION = 0
const REASON_HEADER = 'barnabas-rejected'

/** Records that nobody can make an event of. */
const POISON: readonly (string | Buffer)[] = [
  Buffer.from([0xff, 0xfe, 0x00, 0x80]),
  '{"tenant_id":',
  '[]',
  'null',
  '',
  '{"topic":"order.paid","data":{}}',
  '{"tenant_id":7,"topic":"order.paid","data":{}}',
  '"text"',
]

export const poison: Recipe = {
  id: 'R14',
  title: 'poison records in the ingest topic',
  scale: `${POISON.length} kinds, each between two good records of one partition; ${STEADY_RATE} events/s, 2 deliveries each besides`,
  stack: {},
  run,
}

async function run(world: World): Promise<Outcome> {
  const { traffic, services, say } = world
  const view = await KafkaView.open(services.kafka.address)
  try {
    await traffic.addTenant(BESIDE)
    await traffic.addDestination(BESIDE, BESIDE)
    await addSteadyLoad(world)
    const waitsMs: number[] = []
    for (const [index, value] of POISON.entries()) {
      say(`  poison ${index + 1} of ${POISON.length}`)
      waitsMs.push(await passPoison(world, view, index, value))
    }
    const reasons = await view.headers('ingest.rejected', REASON_HEADER)
    const audit = await traffic.settle()
    const missing = await traffic.countMissing(BESIDE, [...POISON.keys()].flatMap(goodIds))
    return {
      audit,
      faults: [],
      checks: [
        ...auditChecks(audit),
        atMost('the record behind poison arrives within', Math.max(...waitsMs), patiently(LIMIT_MS), 'ms'),
        check('every good record arrives', missing === 0, `${missing} did not`),
        check(
          'each poison is in ingest.rejected with its reason',
          reasons.length === POISON.length && reasons.every((reason) => reason !== ''),
          `${reasons.length} of ${POISON.length}`,
        ),
      ],
    }
  } finally {
    await view.close()
  }
}

/** The good records before and behind a poison. */
const goodIds = (index: number): string[] => [
  `${PROBE_PREFIX}before-${index}`,
  `${PROBE_PREFIX}behind-${index}`,
]

/** Milliseconds from writing the record behind the poison to its arrival. */
async function passPoison(
  world: World,
  view: KafkaView,
  index: number,
  value: string | Buffer,
): Promise<number> {
  const good = (id: string): string =>
    JSON.stringify({ id, tenant_id: BESIDE, topic: 'order.paid', data: { index } })
  const write = (written: string | Buffer): Promise<void> =>
    view.write('ingest', { key: BESIDE, value: written, partition: PARTITION })
  const [before = '', behind = ''] = goodIds(index)
  await write(good(before))
  await write(value)
  const writtenAtMs = Date.now()
  await write(good(behind))
  while (Date.now() - writtenAtMs < GIVE_UP_MS) {
    if ((await world.traffic.countMissing(BESIDE, [behind])) === 0) return Date.now() - writtenAtMs
    await wait(LOOK_MS)
  }
  return Number.POSITIVE_INFINITY
}
