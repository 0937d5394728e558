import { setTimeout as wait } from 'node:timers/promises'
import { atMost, auditChecks, check } from '../checks.js'
import { isAccepted } from '../events.js'
import { patiently } from '../patience.js'
import type { Outcome, Recipe } from '../recipe.js'
import type { World } from '../world.js'

const TENANT = 'acme'
const DOWN = 'down'
/** Both waits of the schedule below. */
const SCHEDULE_SECONDS = 3
/** After the schedule is used up: the way through tiers, dispatcher and log. */
const DEAD_WITHIN_SECONDS = 15
/** A killed process's lease, a poll and its start. */
const GOES_ON_WITHIN_SECONDS = 15
const LONG = { deadLetters: 10_000, publishPerSecond: 100, redrivePerSecond: 200 }
const SHORT = { deadLetters: 600, publishPerSecond: 50, redrivePerSecond: 40 }
const LOOK_MS = 200
const LIMIT_MS = 300_000
const MS_PER_SECOND = 1_000

const scaleOf = ({ deadLetters, publishPerSecond, redrivePerSecond }: typeof LONG): string =>
  `${deadLetters} events at ${publishPerSecond}/s until their retries are used up; then redriven at ${redrivePerSecond}/s, cancelled half-way, started again, kill -9 of the retrier at three quarters`

export const deadLetters: Recipe = {
  id: 'R18',
  title: 'dead letters and their redrive',
  scale: scaleOf(LONG),
  shortScale: scaleOf(SHORT),
  stack: { env: { RETRY_SCHEDULE: '1s,2s' } },
  run,
}

interface Redrive {
  readonly id: string
  readonly state: string
  readonly count: number
  readonly progress: { readonly redriven: number } | null
}

async function run(world: World): Promise<Outcome> {
  const { api, traffic, fleet, say } = world
  const scale = world.isShort ? SHORT : LONG
  await traffic.addTenant(TENANT)
  await traffic.addDestination(TENANT, DOWN)
  await traffic.untilKnown()
  const deadSeconds = await letDie(world, scale)
  await traffic.behave(DOWN, 'healthy')
  const asked = { tenant_id: TENANT, destination_id: DOWN, rate_per_second: scale.redrivePerSecond }
  const { id, count } = (await api.must('POST', '/redrives', asked)) as Redrive
  say('  redrives')
  await api.must('POST', `/redrives/${id}/start`)
  const half = await untilRedriven(world, id, count / 2)
  await api.must('POST', `/redrives/${id}/cancel`)
  const cancelled = await untilState(world, id, 'cancelled')
  say('  goes on')
  await api.must('POST', `/redrives/${id}/start`)
  const beforeKill = await untilRedriven(world, id, (count * 3) / 4)
  const killedAtMs = Date.now()
  await fleet.kill9(fleet.one('retrier'))
  await untilRedriven(world, id, beforeKill + 1)
  const goesOnSeconds = (Date.now() - killedAtMs) / MS_PER_SECOND
  const done = await untilState(world, id, 'completed')
  const audit = await traffic.settle()
  const duplicates = { atMost: scale.redrivePerSecond, because: 'one second of the rate' }
  return {
    audit,
    faults: [],
    checks: [
      ...auditChecks(audit, { duplicates }),
      check('all that died was counted', count === audit.accepted, `${count} of ${audit.accepted}`),
      atMost(
        'all are dead letters after the last publish within',
        deadSeconds,
        patiently(SCHEDULE_SECONDS + DEAD_WITHIN_SECONDS),
        's',
      ),
      check(
        'it was cancelled half-way',
        half < count && redrivenOf(cancelled) < count,
        `${redrivenOf(cancelled)} of ${count}`,
      ),
      atMost('it goes on after kill -9 within', goesOnSeconds, patiently(GOES_ON_WITHIN_SECONDS), 's'),
      check('it brought back all', redrivenOf(done) === count, `${redrivenOf(done)} of ${count}`),
    ],
  }
}

const redrivenOf = ({ progress }: Redrive): number => progress?.redriven ?? 0

/** Publishes to a target that refuses all; resolves to the seconds from the end of that to the last dead letter. */
async function letDie({ api, traffic, say }: World, scale: typeof LONG): Promise<number> {
  say('  deliveries die')
  await traffic.behave(DOWN, 'refusing')
  await traffic.begin({
    name: TENANT,
    tenantId: TENANT,
    topics: ['order.paid'],
    ratePerSecond: scale.publishPerSecond,
  })
  await wait((scale.deadLetters / scale.publishPerSecond) * MS_PER_SECOND)
  await traffic.end()
  const endedAtMs = Date.now()
  const { events } = await traffic.results()
  const accepted = events.filter(isAccepted).length
  await until('all are dead letters', async () => (await api.deadLetters(TENANT)).length >= accepted)
  return (Date.now() - endedAtMs) / MS_PER_SECOND
}

async function untilRedriven(world: World, id: string, least: number): Promise<number> {
  let redriven = 0
  await until(`${least} are redriven`, async () => {
    redriven = redrivenOf(await read(world, id))
    return redriven >= least
  })
  return redriven
}

async function untilState(world: World, id: string, state: string): Promise<Redrive> {
  let redrive = await read(world, id)
  await until(`the redrive is ${state}`, async () => {
    redrive = await read(world, id)
    return redrive.state === state
  })
  return redrive
}

const read = async ({ api }: World, id: string): Promise<Redrive> =>
  (await api.must('GET', `/redrives/${id}`)) as Redrive

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const endMs = Date.now() + LIMIT_MS
  while (!(await isSo())) {
    if (Date.now() > endMs) throw new Error(`not within ${LIMIT_MS / MS_PER_SECOND} s: ${what}`)
    await wait(LOOK_MS)
  }
}
