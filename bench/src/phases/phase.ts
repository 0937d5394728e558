import type { Bench } from '../bench.js'
import type { PhaseName } from '../options.js'
import type { StackKind } from '../stack.js'

/** One family of measurements. A name may have several, on different stacks. */
export interface Phase {
  readonly name: PhaseName
  readonly stack: StackKind
  /** Resolves to its part of the report: Markdown without a heading. */
  readonly run: (bench: Bench) => Promise<string>
}
