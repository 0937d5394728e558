import type { Bench } from '../bench.js'
import { measureLoad } from '../load/measure-load.js'
import { USUAL_BYTES } from '../load/sample-data.js'
import { besideRaw, cpuTable, efficiencyTable, remarks } from '../report/figures.js'
import { table, whole } from '../report/table.js'
import { throughputOf } from '../statistics.js'
import type { Phase } from './phase.js'

/** The two loads that the figures are stated for. */
export const IN_FLIGHT = [64, 256] as const

/** Publishes with a fixed number of requests open, and counts what arrives at the receiver. */
async function run(bench: Bench): Promise<string> {
  const { plan, baselines, generator, say } = bench
  const measured = []
  for (const inFlight of IN_FLIGHT) {
    say(`throughput with ${inFlight} publishes in flight …`)
    const use = await measureLoad(bench, {
      name: `${inFlight} in flight`,
      phase: `closed${inFlight}`,
      publish: (events) =>
        generator.ask('closedLoop', { events, loop: { inFlight, durationMs: plan.closedLoopMs } }),
    })
    measured.push({ inFlight, use, raw: await baselines.rawLoop(inFlight, USUAL_BYTES) })
  }
  const rows = measured.map(({ inFlight, use, raw }) => {
    const { perSecond } = throughputOf(use.arrivedAtMs, plan.warmUpMs)
    return [
      String(inFlight),
      whole(perSecond),
      whole(use.accepted / use.publishSeconds),
      whole(use.backlog),
      ...besideRaw(perSecond, raw),
    ]
  })
  const uses = measured.map(({ use }) => use)
  return [
    table(
      ['in flight', 'received/s', 'accepted/s', 'backlog at the end', 'raw POST + HMAC/s', 'received : raw'],
      rows,
    ),
    efficiencyTable(measured, 'in flight'),
    cpuTable(uses),
    remarks(uses),
  ].join('\n\n')
}

export const throughput: Phase = { name: 'throughput', stack: 'defaults', run }
