import type { Bench } from '../bench.js'
import { USUAL_BYTES } from '../load/sample-data.js'
import { table, whole } from '../report/table.js'
import type { Phase } from './phase.js'
import { SIZES } from './size.js'
import { IN_FLIGHT } from './throughput.js'

/** Every baseline that the other phases are held against, whether they run or not. */
async function run({ baselines }: Bench): Promise<string> {
  const loops = [
    ...IN_FLIGHT.map((inFlight) => ({ inFlight, dataBytes: USUAL_BYTES })),
    ...SIZES.map((dataBytes) => ({ inFlight: IN_FLIGHT[0], dataBytes })),
  ]
  const rows = new Map<string, string[]>()
  for (const { inFlight, dataBytes } of loops) {
    const raw = await baselines.rawLoop(inFlight, dataBytes)
    rows.set(`${inFlight} ${dataBytes}`, [
      `${inFlight} in flight, ${dataBytes / 1_024} KB`,
      whole(raw.perSecond),
      whole(raw.perCpuSecond),
    ])
  }
  return table(['raw POST + HMAC', 'requests/s', 'requests per CPU s'], [...rows.values()])
}

export const raw: Phase = { name: 'raw', stack: 'defaults', run }
