import { setTimeout as wait } from 'node:timers/promises'
import { auditChecks, check, recoveryChecks } from '../checks.js'
import { KafkaView } from '../kafka-view.js'
import type { Outcome, Recipe } from '../recipe.js'
import { faultsOf, type World } from '../world.js'
import { addSteadyLoad, DELIVERIES_PER_EVENT, FLOW_LIMIT_MS, STEADY_RATE } from './steady-load.js'

/** Longer than the session of a member, whatever that is set to. */
const FROZEN_MS = 75_000
/** What the thawed one still does, it does at once. */
const AFTERWARDS_MS = 10_000
const POLL_MS = 1_000
/** The session ends after 10 s, then the group forms anew. */
const LIMITS = { firstSeconds: 25, clearedSeconds: 45 }
/** What was in flight, and what was finished and not yet committed. */
const WINDOW_SECONDS = 2

export const zombie: Recipe = {
  id: 'R7',
  title: 'a dispatcher freezes and thaws',
  scale: `SIGSTOP of one of two for ${FROZEN_MS / 1_000} s, then SIGCONT; ${STEADY_RATE} events/s, 2 deliveries each`,
  stack: { instances: { dispatcher: 2 } },
  run,
}

async function run(world: World): Promise<Outcome> {
  const { traffic, fleet, services, say } = world
  const view = await KafkaView.open(services.kafka.address)
  const offsets = new OffsetWatch(view)
  try {
    await addSteadyLoad(world)
    offsets.start()
    const victim = fleet.one('dispatcher')
    say(`  SIGSTOP of ${victim.name}`)
    fleet.freeze(victim)
    const frozenAtMs = Date.now()
    await wait(FROZEN_MS)
    const isTakenOver = await traffic.untilFlowing(frozenAtMs, FLOW_LIMIT_MS)
    say(`  SIGCONT of ${victim.name}`)
    fleet.thaw(victim)
    const thawedAtMs = Date.now()
    await wait(AFTERWARDS_MS)
    const isFlowing = await traffic.untilFlowing(thawedAtMs + AFTERWARDS_MS, FLOW_LIMIT_MS)
    const members = await view.members('dispatcher')
    const audit = await traffic.settle()
    await offsets.stop()
    const faults = await faultsOf(world, [
      { label: 'the freeze', atMs: frozenAtMs },
      { label: 'the thaw', atMs: thawedAtMs },
    ])
    const window = WINDOW_SECONDS * STEADY_RATE * DELIVERIES_PER_EVENT
    return {
      audit,
      faults,
      checks: [
        ...auditChecks(audit, {
          duplicates: { atMost: window, because: `${WINDOW_SECONDS} s of deliveries` },
        }),
        check('the other one took over', isTakenOver, isTakenOver ? 'yes' : 'no'),
        check('deliveries flow after the thaw', isFlowing, isFlowing ? 'yes' : 'no'),
        check('the thawed one is a member again', members === 2, `${members ?? 'unknown'} members`),
        check(
          'committed offsets never go backwards',
          offsets.looks > 0 && offsets.backwards.length === 0,
          `${offsets.looks} looks, ${offsets.backwards.length === 0 ? 'none did' : offsets.backwards.join(', ')}`,
        ),
        ...recoveryChecks(faults, LIMITS),
      ],
    }
  } finally {
    await offsets.stop()
    await view.close()
  }
}

/** Looks at what the dispatchers have committed, once a second. */
class OffsetWatch {
  readonly backwards: string[] = []
  looks = 0
  private readonly seen = new Map<number, number>()
  private watching: Promise<void> | null = null
  private isOver = false

  constructor(private readonly view: KafkaView) {}

  start(): void {
    this.watching = this.watch()
  }

  /** Safe to call twice. */
  async stop(): Promise<void> {
    this.isOver = true
    await this.watching
  }

  private async watch(): Promise<void> {
    while (!this.isOver) {
      for (const [partition, offset] of await this.view.committed('dispatcher', 'deliveries')) {
        const before = this.seen.get(partition) ?? -1
        if (offset < before) this.backwards.push(`partition ${partition} from ${before} to ${offset}`)
        this.seen.set(partition, offset)
      }
      this.looks++
      await wait(POLL_MS)
    }
  }
}
