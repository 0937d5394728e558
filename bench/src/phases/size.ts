import type { Bench } from '../bench.js'
import { measureLoad } from '../load/measure-load.js'
import { besideRaw, cpuTable, efficiencyTable, remarks } from '../report/figures.js'
import { table, tenths, whole } from '../report/table.js'
import { throughputOf } from '../statistics.js'
import type { Phase } from './phase.js'

/** Bytes of `data`: what the figures are stated for, and a large one. */
export const SIZES = [1_024, 16_384] as const
const IN_FLIGHT = 64
const BYTES_PER_MB = 1e6

/** A closed loop with small and with large payloads. */
async function run(bench: Bench): Promise<string> {
  const { plan, baselines, generator, say } = bench
  const measured = []
  for (const dataBytes of SIZES) {
    const name = `${dataBytes / 1_024} KB`
    say(`events of ${name} …`)
    const use = await measureLoad(bench, {
      name,
      phase: `size${dataBytes}`,
      dataBytes,
      publish: (events) =>
        generator.ask('closedLoop', { events, loop: { inFlight: IN_FLIGHT, durationMs: plan.closedLoopMs } }),
    })
    measured.push({ name, dataBytes, use, raw: await baselines.rawLoop(IN_FLIGHT, dataBytes) })
  }
  const rows = measured.map(({ name, dataBytes, use, raw }) => {
    const { perSecond } = throughputOf(use.arrivedAtMs, plan.warmUpMs)
    const megabytes = (rate: number): string => tenths((rate * dataBytes) / BYTES_PER_MB)
    const [rawRate = '', ratio = ''] = besideRaw(perSecond, raw)
    return [
      name,
      whole(perSecond),
      megabytes(perSecond),
      whole(use.backlog),
      rawRate,
      megabytes(raw.perSecond),
      ratio,
    ]
  })
  const uses = measured.map(({ use }) => use)
  return [
    table(
      [
        `data, ${IN_FLIGHT} in flight`,
        'received/s',
        'MB/s',
        'backlog at the end',
        'raw POST + HMAC/s',
        'raw MB/s',
        'received : raw',
      ],
      rows,
    ),
    efficiencyTable(measured, 'data'),
    cpuTable(uses),
    remarks(uses),
  ].join('\n\n')
}

export const size: Phase = { name: 'size', stack: 'defaults', run }
