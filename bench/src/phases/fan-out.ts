import { addDestination, createTenant, inParallel } from '../api.js'
import type { Bench } from '../bench.js'
import { measureLoad } from '../load/measure-load.js'
import { USUAL_BYTES } from '../load/sample-data.js'
import { besideRaw, cpuTable, efficiencyTable, remarks } from '../report/figures.js'
import { percent, table, whole } from '../report/table.js'
import { throughputOf } from '../statistics.js'
import type { Phase } from './phase.js'

const FAN_OUTS = [1, 10, 100] as const
const IN_FLIGHT = 64
const CREATED_AT_ONCE = 16
/** What is put off comes back after seconds: the rate without it tells what the stages do. */
const MOST = 0.9
/** Only a bound: the number of publishes ends the loop. */
const PUBLISH_MS = 60_000

/**
 * A closed loop on publishes, whose events go to 1, 10 and 100 destinations. As many publishes as give the same number
 * of deliveries each time: publishing is soon over then, and the deliveries take what they take.
 */
async function run(bench: Bench): Promise<string> {
  const { plan, baselines, generator, target, say } = bench
  const measured = []
  for (const fanOut of FAN_OUTS) {
    const tenantId = `fan-out-${fanOut}`
    const name = `to ${fanOut}`
    say(`events to ${fanOut} destinations …`)
    await createTenant(target, tenantId)
    await inParallel(fanOut, CREATED_AT_ONCE, (number) =>
      addDestination(target, tenantId, { url: `${bench.receiverUrl}${number}` }),
    )
    const loop = { inFlight: IN_FLIGHT, durationMs: PUBLISH_MS, maxRequests: plan.fanOutDeliveries / fanOut }
    const use = await measureLoad(bench, {
      name,
      phase: tenantId,
      tenantIds: [tenantId],
      fanOut,
      publish: (events) => generator.ask('closedLoop', { events, loop }),
    })
    measured.push({ name, use, raw: await baselines.rawLoop(IN_FLIGHT, USUAL_BYTES) })
  }
  const rows = measured.map(({ name, use, raw }) => {
    const { perSecond } = throughputOf(use.arrivedAtMs, plan.fanOutWarmUpMs)
    return [
      name,
      whole(perSecond),
      whole(throughputOf(use.arrivedAtMs, plan.fanOutWarmUpMs, MOST).perSecond),
      whole(use.accepted / use.publishSeconds),
      whole(use.backlog),
      ...besideRaw(perSecond, raw),
    ]
  })
  const uses = measured.map(({ use }) => use)
  return [
    table(
      [
        `fan-out, ${IN_FLIGHT} in flight`,
        'deliveries/s',
        `first ${percent(MOST)}`,
        'accepted/s',
        'backlog at the end',
        'raw POST + HMAC/s',
        'deliveries : raw',
      ],
      rows,
    ),
    efficiencyTable(measured, 'fan-out'),
    cpuTable(uses),
    remarks(uses),
  ].join('\n\n')
}

export const fanOut: Phase = { name: 'fanout', stack: 'defaults', run }
