import type { Bench } from '../bench.js'
import type { PhaseName } from '../options.js'
import type { Plan } from '../plan.js'
import type { StackKind } from '../stack.js'
import type { Stops } from '../stops.js'

/** One family of measurements. A name may have several, on different stacks. */
export interface Phase {
  readonly name: PhaseName
  readonly stack: StackKind
  /** Resolves to its part of the report: Markdown without a heading. */
  readonly run: (bench: Bench) => Promise<string>
}

/** What a phase without a stack works with. */
export interface LocalTools {
  readonly plan: Plan
  /** Destination types that were asked for; empty = all. */
  readonly typeNames: readonly string[]
  readonly isProfiled: boolean
  readonly stops: Stops
  readonly say: (sentence: string) => void
}

/** One that needs no stack. */
export interface LocalPhase {
  readonly name: PhaseName
  /** As that of a `Phase`. */
  readonly run: (tools: LocalTools) => string | Promise<string>
}
