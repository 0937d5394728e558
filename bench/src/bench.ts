import type { Baselines } from './load/baselines.js'
import type { GeneratorCommands, PublishTarget } from './load/generator.js'
import type { ReceiverCommands } from './load/receiver.js'
import type { Worker } from '@barnabas/tools'
import type { Plan } from './plan.js'
import type { Stack } from './stack.js'

/** What a phase works with. */
export interface Bench {
  readonly plan: Plan
  readonly stack: Stack
  readonly target: PublishTarget
  /** Its one destination takes every event. */
  readonly tenantId: string
  readonly receiverUrl: string
  readonly receiver: Worker<ReceiverCommands>
  readonly generator: Worker<GeneratorCommands>
  readonly baselines: Baselines
  /** Processes whose CPU time is shown. */
  readonly pidByName: ReadonlyMap<string, number>
  readonly say: (sentence: string) => void
}
