import type { Bench } from '../bench.js'
import type { PhaseName } from '../options.js'
import type { Plan } from '../plan.js'
import type { StackKind } from '../stack.js'

/** One family of measurements. A name may have several, on different stacks. */
export interface Phase {
  readonly name: PhaseName
  readonly stack: StackKind
  /** Resolves to its part of the report: Markdown without a heading. */
  readonly run: (bench: Bench) => Promise<string>
}

/** One that needs no services and runs in this process. */
export interface LocalPhase {
  readonly name: PhaseName
  /** As that of a `Phase`. */
  readonly run: (plan: Plan, say: (sentence: string) => void) => string
}
